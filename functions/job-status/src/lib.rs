//! The function `job-status`: both job queries.

use imageshare::facade::{self, ims};
use imageshare::function::HttpFunction;
use imageshare::http::HttpResponse;
use lambda_http::Request;

/// Answers one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    let call = match function.authenticate(request).await {
        Ok(call) => call,
        Err(rejected) => return facade::reject(*rejected),
    };
    let reply = match call.route() {
        ims::job::ROUTE => ims::job::handle(&call).await,
        ims::job::PROGRESS_ROUTE => ims::job::handle_progress(&call).await,
        _ => ims::route_not_found(""),
    };
    call.finish(reply)
}
