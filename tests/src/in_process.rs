//! The functions that answer HTTP, called with the gateway's events in the test's own process, over an embedded table.

use imageshare::App;
use imageshare::domain::{Clock, Limits, Timestamp};
use imageshare::facade::{self, alibaba, glance, ims};
use imageshare::function::HttpFunction;
use imageshare::store::Store;
use lambda_http::{Context, RequestExt, request};
use serde_json::{Value, json};

use crate::deployment::{Deployment, authenticator};
use crate::events::HttpEvent;
use crate::fuzz::table::UnavailableTable;
use crate::local_service::LocalService;
pub use crate::response::ApiResponse;

/// A request is named by so much of it where a test fails.
const MAX_DESCRIPTION_CHARS: usize = 600;

/// The functions over a table of their own.
pub struct Functions {
    /// What lies behind them.
    pub local: LocalService,
    function: HttpFunction,
}

impl Functions {
    /// Functions over an empty table.
    pub fn start() -> Self {
        Self::start_with(Limits::default())
    }

    /// Functions over an empty table, with those limits.
    pub fn start_with(limits: Limits) -> Self {
        let local = LocalService::start(limits);
        let function = HttpFunction::new(local.service.clone(), authenticator());
        Self { local, function }
    }

    /// Functions whose table never answers: what is not a 503 was said without it.
    pub fn without_table() -> Self {
        let mut functions = Self::start();
        functions.disconnect_table();
        functions
    }

    /// Puts a table that never answers in the place of the table.
    pub fn disconnect_table(&mut self) {
        let App { settings, .. } = self.function.app.clone();
        self.function.app = App { store: Store::new(UnavailableTable, Clock::for_function()), settings };
    }

    /// Sends a request to the function that its route belongs to.
    pub async fn send(&self, event: &HttpEvent) -> ApiResponse {
        send_event(&self.function, event, None).await
    }

    /// Sends a request without a body, as a member of that project.
    pub async fn send_without_body(&self, project: &str, route: &str, target: &str) -> ApiResponse {
        self.send(&HttpEvent::new(route, target).token(&Deployment::token(project, "member"))).await
    }

    /// Sends a request with a JSON body, as a member of that project.
    pub async fn send_json(&self, project: &str, route: &str, target: &str, body: &Value) -> ApiResponse {
        self.send(&HttpEvent::new(route, target).token(&Deployment::token(project, "member")).json(body))
            .await
    }

    /// Registers an image of that project. Returns its id.
    pub async fn create_image(&self, project: &str, said: &Value) -> String {
        let made = self.send_json(project, "POST /v2/images", "/v2/images", said).await;
        made.expect_status(201);
        made.body["id"].as_str().expect("an id").to_owned()
    }

    /// Shares images of that project, and waits until it is done.
    pub async fn share(&self, owner: &str, images: &[&str], projects: &[&str]) {
        let body = json!({"images": images, "projects": projects});
        let answer = self.send_json(owner, ims::share::ROUTE, "/v1/cloudimages/members", &body).await;
        answer.expect_status(200);
        self.local.run_open_work().await;
    }

    /// Gives that project's answer to images, and waits until it is done.
    pub async fn respond(&self, project: &str, images: &[&str], status: &str) {
        let body = json!({"images": images, "project_id": project, "status": status});
        let answer = self.send_json(project, ims::respond::ROUTE, "/v1/cloudimages/members", &body).await;
        answer.expect_status(200);
        self.local.run_open_work().await;
    }
}

fn is_registry_route(route: &str) -> bool {
    ["/v1/tenants", "/v1/vaults", "/v1/keys"].iter().any(|path| route.contains(path))
}

/// Sends a request to the one of these functions that its route belongs to, which Lambda ends at that moment.
pub async fn send_event(function: &HttpFunction, event: &HttpEvent, end: Option<Timestamp>) -> ApiResponse {
    let description = format!("{event:?}").chars().take(MAX_DESCRIPTION_CHARS).collect();
    let event = event.build();
    let request = request::from_str(&event.to_string()).expect("an event of the gateway");
    let request = match end {
        None => request,
        Some(end) => request.with_lambda_context(context_with_deadline(end)),
    };
    let reply = match event["routeKey"].as_str().unwrap_or_default() {
        ims::share::ROUTE | glance::members::add::ROUTE => share::handle(function, request).await,
        ims::respond::ROUTE | glance::members::update::ROUTE => respond::handle(function, request).await,
        ims::unshare::ROUTE | glance::members::remove::ROUTE => unshare::handle(function, request).await,
        ims::job::ROUTE | ims::job::PROGRESS_ROUTE => job_status::handle(function, request).await,
        alibaba::GET_ROUTE | alibaba::POST_ROUTE => permission::handle(function, request).await,
        facade::identity::list_keys::ROUTE => identity::handle(function, request).await,
        route if is_registry_route(route) => registry::handle(function, request).await,
        _ => images::handle(function, request).await,
    };
    ApiResponse { request: description, ..ApiResponse::from(reply) }
}

fn context_with_deadline(end: Timestamp) -> Context {
    let mut context = Context::default();
    context.deadline = u64::try_from(end.unix_millis()).expect("a moment after 1970");
    context
}
