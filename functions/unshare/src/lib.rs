//! The function `unshare`: `DELETE` of members, of many images or of one.

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
        ims::unshare::ROUTE => ims::unshare::answer(&call).await,
        glance::members::remove::ROUTE => glance::members::remove::answer(&call).await,
        _ => ims::unrouted(""),
    };
    call.finish(reply)
}
