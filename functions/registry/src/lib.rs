//! The function `registry`: what operators and owners register besides images, the directory of tenants.

use imageshare::facade::registry::tenants;
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
        tenants::list::ROUTE => tenants::list::answer(&call).await,
        tenants::show::ROUTE => tenants::show::answer(&call).await,
        tenants::put::ROUTE => tenants::put::answer(&call).await,
        tenants::delete::ROUTE => tenants::delete::answer(&call).await,
        _ => ims::unrouted(""),
    };
    call.finish(reply)
}
