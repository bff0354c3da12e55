//! The function `share`: `POST` of members, of many images or of one.

use imageshare::facade::{Reply, glance, ims};
use imageshare::function::Function;
use lambda_http::Request;

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    let call = match function.admit(request).await {
        Ok(call) => call,
        Err(refused) => return refused,
    };
    let reply = match call.route() {
        ims::share::ROUTE => ims::share::answer(&call).await,
        glance::members::add::ROUTE => glance::members::add::answer(&call).await,
        _ => ims::unrouted(""),
    };
    call.finish(reply)
}
