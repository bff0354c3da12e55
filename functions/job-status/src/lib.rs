//! The function `job-status`: both job queries.

use imageshare::facade::{Reply, ims};
use imageshare::function::Function;
use lambda_http::Request;

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    let call = match function.admit(request).await {
        Ok(call) => call,
        Err(refused) => return refused,
    };
    let reply = match call.route() {
        ims::job::ROUTE => ims::job::answer(&call).await,
        ims::job::PROGRESS_ROUTE => ims::job::answer_progress(&call).await,
        _ => ims::unrouted(""),
    };
    call.finish(reply)
}
