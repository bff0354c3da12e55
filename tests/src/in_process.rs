//! The HTTP functions, called with the gateway's events in the test's own process, over an embedded table.

use std::sync::{Arc, LazyLock};

use imageshare::App;
use imageshare::auth::MasterKeys;
use imageshare::domain::{Clock, Limits, Timestamp};
use imageshare::facade::ims;
use imageshare::function::HttpFunction;
use imageshare::store::Store;
use imageshare_local::functions::{CURRENT_FUNCTION, entry_point};
use imageshare_routes::Document;
use lambda_http::{Context, RequestExt, request};
use serde_json::{Value, json};

use crate::counting_table::{CallCounter, CountingTable};
use crate::deployment::{Deployment, authenticator, master_key};
use crate::events::HttpEvent;
use crate::fuzz::table::UnavailableTable;
use crate::local_service::LocalService;
pub use crate::response::ApiResponse;

/// How much of a request is shown when a test fails.
const MAX_DESCRIPTION_CHARS: usize = 600;

/// The texts of the console, each of them marked.
static MARKED: LazyLock<console::Texts> = LazyLock::new(console::Texts::marked);

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| Document::load().expect("the routes"));

/// The functions and their table.
pub struct Functions {
    /// The use cases and the table behind them.
    pub local: LocalService,
    function: HttpFunction,
    /// Whether the calls of the table are counted, so that nothing may be sent twice.
    is_counted: bool,
}

impl Functions {
    /// The functions over an empty table.
    pub fn start() -> Self {
        Self::start_with(Limits::default())
    }

    /// The functions over an empty table, with these limits.
    pub fn start_with(limits: Limits) -> Self {
        let local = LocalService::start(limits);
        let function = HttpFunction::new(local.service.clone(), authenticator());
        Self { local, function, is_counted: false }
    }

    /// The functions over an empty table, which can create access keys.
    pub fn with_master_key() -> Self {
        let mut functions = Self::start();
        let keys = MasterKeys::parse(&format!("test:{}", master_key())).expect("a good master key");
        functions.function.authenticator = authenticator().with_master_keys(keys);
        functions
    }

    /// The functions over an empty table, with the counters of its calls.
    pub fn start_counted() -> (Self, CallCounter) {
        let mut counter = CallCounter::default();
        let local = LocalService::start_with_table(Limits::default(), |table| {
            let (table, calls) = CountingTable::new(table);
            counter = calls;
            table
        });
        let function = HttpFunction::new(local.service.clone(), authenticator());
        (Self { local, function, is_counted: true }, counter)
    }

    /// The functions over a table that never responds: any response but 503 was made without the table.
    pub fn without_table() -> Self {
        let mut functions = Self::start();
        functions.disconnect_table();
        functions
    }

    /// Replaces the table by one that never responds.
    pub fn disconnect_table(&mut self) {
        let App { settings, .. } = self.function.app.clone();
        self.function.app = App { store: Store::new(UnavailableTable, Clock::for_function()), settings };
    }

    /// Sends a request to the function of its route.
    pub async fn send(&self, event: &HttpEvent) -> ApiResponse {
        send_event(&self.function, event, None).await
    }

    /// Sends a request to the console once more, for the same page with its texts marked; `None` if the calls of the table
    /// are counted.
    pub async fn page_with_marked_texts(&self, event: &HttpEvent) -> Option<ApiResponse> {
        if self.is_counted {
            return None;
        }
        let request = request::from_str(&event.build().to_string()).expect("an event of the gateway");
        let reply = console::handle_in(&MARKED, &self.function, request);
        let reply = CURRENT_FUNCTION.scope("console", reply).await;
        Some(ApiResponse { request: format!("{event:?}"), ..ApiResponse::from(reply) })
    }

    /// Sends a request without a body, as a member of a project.
    pub async fn send_without_body(&self, project: &str, route: &str, target: &str) -> ApiResponse {
        self.send(&HttpEvent::new(route, target).token(&Deployment::token(project, "member"))).await
    }

    /// Sends a request with a JSON body, as a member of a project.
    pub async fn send_json(&self, project: &str, route: &str, target: &str, body: &Value) -> ApiResponse {
        self.send(&HttpEvent::new(route, target).token(&Deployment::token(project, "member")).json(body))
            .await
    }

    /// Registers an image of a project. Returns its id.
    pub async fn create_image(&self, project: &str, details: &Value) -> String {
        let response = self.send_json(project, "POST /v2/images", "/v2/images", details).await;
        response.expect_status(201);
        response.body["id"].as_str().expect("an id").to_owned()
    }

    /// Changes an image of a project by operations of a JSON patch.
    pub async fn patch_image(&self, project: &str, image: &str, operations: &Value) {
        let target = format!("/v2/images/{image}");
        let event = HttpEvent::new("PATCH /v2/images/{image_id}", &target)
            .token(&Deployment::token(project, "member"))
            .header("content-type", "application/openstack-images-v2.1-json-patch")
            .text(&operations.to_string());
        self.send(&event).await.expect_status(200);
    }

    /// Shares images of a project, and waits until the job has ended.
    pub async fn share(&self, owner: &str, images: &[&str], projects: &[&str]) {
        let body = json!({"images": images, "projects": projects});
        let response = self.send_json(owner, ims::share::ROUTE, "/v1/cloudimages/members", &body).await;
        response.expect_status(200);
        self.local.run_open_work().await;
    }

    /// Decides on images as a project, and waits until the job has ended.
    pub async fn respond(&self, project: &str, images: &[&str], status: &str) {
        let body = json!({"images": images, "project_id": project, "status": status});
        let response = self.send_json(project, ims::respond::ROUTE, "/v1/cloudimages/members", &body).await;
        response.expect_status(200);
        self.local.run_open_work().await;
    }
}

/// Sends a request to the function of its route. `end` is the invocation's deadline.
pub async fn send_event(function: &HttpFunction, event: &HttpEvent, end: Option<Timestamp>) -> ApiResponse {
    let description = format!("{event:?}").chars().take(MAX_DESCRIPTION_CHARS).collect();
    let event = event.build();
    let request = request::from_str(&event.to_string()).expect("an event of the gateway");
    let request = match end {
        None => request,
        Some(end) => request.with_lambda_context(context_with_deadline(end)),
    };
    let route = event["routeKey"].as_str().unwrap_or_default();
    let route = DOCUMENT.find(route).expect("a default route");
    let handle = entry_point(&route.function).unwrap_or_else(|| panic!("no function handles {}", route.key));
    let reply = handle(Arc::new(function.clone()), request).await;
    ApiResponse { request: description, ..ApiResponse::from(reply) }
}

fn context_with_deadline(end: Timestamp) -> Context {
    let mut context = Context::default();
    context.deadline = u64::try_from(end.unix_millis()).expect("a moment after 1970");
    context
}
