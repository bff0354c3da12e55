//! The function `respond`: `PUT` of members, accept or reject, for many images or one.

use imageshare::facade::{self, glance, ims};
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
        ims::respond::ROUTE => ims::respond::handle(&call).await,
        glance::members::update::ROUTE => glance::members::update::handle(&call).await,
        _ => ims::route_not_found(""),
    };
    call.finish(reply)
}
