//! The functions that answer HTTP, called with the gateway's events in the test's own process, over an embedded table.

use std::collections::BTreeMap;

use imageshare::Service;
use imageshare::domain::{Clock, Limits, Timestamp};
use imageshare::facade::{self, Reply, alibaba, glance, ims};
use imageshare::function::Function;
use imageshare::store::Store;
use lambda_http::{Body, Context, RequestExt, request};
use serde_json::{Value, json};

use crate::events::HttpEvent;
use crate::fuzz::table::Unavailable;
use crate::service::LocalService;
use crate::world::{World, authenticator};

/// The functions over a table of their own.
pub struct Functions {
    /// What lies behind them.
    pub local: LocalService,
    function: Function,
}

/// An answer as a client gets it.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body; `null` where there is none.
    pub body: Value,
}

impl Functions {
    /// Functions over an empty table.
    pub fn start() -> Self {
        Self::start_with(Limits::default())
    }

    /// Functions over an empty table, with those limits.
    pub fn start_with(limits: Limits) -> Self {
        let local = LocalService::start(limits);
        let function = Function::new(local.service.clone(), authenticator());
        Self { local, function }
    }

    /// Functions whose table never answers: what is not a 503 was said without it.
    pub fn without_a_table() -> Self {
        let mut functions = Self::start();
        functions.lose_the_table();
        functions
    }

    /// Puts a table that never answers in the place of the table.
    pub fn lose_the_table(&mut self) {
        let Service { settings, .. } = self.function.service.clone();
        self.function.service = Service { store: Store::new(Unavailable, Clock::of_function()), settings };
    }

    /// Sends a request to the function that its route belongs to.
    pub async fn send(&self, event: &HttpEvent) -> Answer {
        send(&self.function, event, None).await
    }

    /// Sends a request without a body, as a member of that project.
    pub async fn get(&self, project: &str, route: &str, target: &str) -> Answer {
        self.send(&HttpEvent::new(route, target).token(&World::token(project, "member"))).await
    }

    /// Sends a request with a JSON body, as a member of that project.
    pub async fn put(&self, project: &str, route: &str, target: &str, body: &Value) -> Answer {
        self.send(&HttpEvent::new(route, target).token(&World::token(project, "member")).json(body)).await
    }

    /// Registers an image of that project. Returns its id.
    pub async fn image(&self, project: &str, said: &Value) -> String {
        let made = self.put(project, "POST /v2/images", "/v2/images", said).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.body["id"].as_str().expect("an id").to_owned()
    }

    /// Shares images of that project, and waits until it is done.
    pub async fn share(&self, owner: &str, images: &[&str], projects: &[&str]) {
        let body = json!({"images": images, "projects": projects});
        let answer = self.put(owner, ims::share::ROUTE, "/v1/cloudimages/members", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.local.work().await;
    }

    /// Gives that project's answer to images, and waits until it is done.
    pub async fn respond(&self, project: &str, images: &[&str], status: &str) {
        let body = json!({"images": images, "project_id": project, "status": status});
        let answer = self.put(project, ims::respond::ROUTE, "/v1/cloudimages/members", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.local.work().await;
    }
}

fn is_of_registry(route: &str) -> bool {
    ["/v1/tenants", "/v1/vaults", "/v1/keys"].iter().any(|path| route.contains(path))
}

/// Sends a request to the one of these functions that its route belongs to, which Lambda ends at that moment.
pub async fn send(function: &Function, event: &HttpEvent, end: Option<Timestamp>) -> Answer {
    let event = event.build();
    let request = request::from_str(&event.to_string()).expect("an event of the gateway");
    let request = match end {
        None => request,
        Some(end) => request.with_lambda_context(context(end)),
    };
    let reply = match event["routeKey"].as_str().unwrap_or_default() {
        ims::share::ROUTE | glance::members::add::ROUTE => share::handle(function, request).await,
        ims::respond::ROUTE | glance::members::update::ROUTE => respond::handle(function, request).await,
        ims::unshare::ROUTE | glance::members::remove::ROUTE => unshare::handle(function, request).await,
        ims::job::ROUTE | ims::job::PROGRESS_ROUTE => job_status::handle(function, request).await,
        alibaba::GET_ROUTE | alibaba::POST_ROUTE => permission::handle(function, request).await,
        facade::identity::list_keys::ROUTE => identity::handle(function, request).await,
        route if is_of_registry(route) => registry::handle(function, request).await,
        _ => images::handle(function, request).await,
    };
    Answer::from(reply)
}

fn context(end: Timestamp) -> Context {
    let mut context = Context::default();
    context.deadline = u64::try_from(end.unix_millis()).expect("a moment after 1970");
    context
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        let headers = reply.headers().iter();
        let headers = headers
            .map(|(name, value)| (name.to_string(), value.to_str().expect("a printable header").to_owned()));
        let body = match reply.body() {
            Body::Text(text) => serde_json::from_str(text).expect("a JSON body"),
            _ => Value::Null,
        };
        Self { status: reply.status().as_u16(), headers: headers.collect(), body }
    }
}
