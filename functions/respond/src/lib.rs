//! The function `respond`: `PUT` of members, accept or reject, for many images or one.

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
        ims::respond::ROUTE => ims::respond::answer(&call).await,
        glance::members::update::ROUTE => glance::members::update::answer(&call).await,
        _ => ims::unrouted(""),
    };
    call.finish(reply)
}
