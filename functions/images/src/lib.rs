//! The function `images`: the image registry and the views, and the answer to what no other function answers.

use imageshare::facade::{Reply, ims};
use imageshare::function::Function;
use lambda_http::Request;

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    let call = match function.admit(request) {
        Ok(call) => call,
        Err(refused) => return refused,
    };
    let reply = match call.route() {
        _ => ims::unrouted(""),
    };
    call.finish(reply)
}
