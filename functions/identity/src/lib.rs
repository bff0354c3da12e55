//! The function `identity`: the access keys of a project.

use imageshare::facade::{Reply, identity, ims};
use imageshare::function::Function;
use lambda_http::Request;

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    let call = match function.admit(request).await {
        Ok(call) => call,
        Err(refused) => return refused,
    };
    let reply = match call.route() {
        identity::create_key::ROUTE => identity::create_key::answer(&call).await,
        identity::list_keys::ROUTE => identity::list_keys::answer(&call).await,
        identity::disable_key::ROUTE => identity::disable_key::answer(&call).await,
        _ => ims::unrouted(""),
    };
    call.finish(reply)
}
