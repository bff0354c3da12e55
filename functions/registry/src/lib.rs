//! The function `registry`: what operators and tenants register besides images: the directory of tenants, vaults, grants of
//! keys.

use imageshare::facade::registry::{key_grants, tenants, vaults};
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
        vaults::list::ROUTE => vaults::list::answer(&call).await,
        vaults::show::ROUTE => vaults::show::answer(&call).await,
        vaults::put::ROUTE => vaults::put::answer(&call).await,
        vaults::delete::ROUTE => vaults::delete::answer(&call).await,
        key_grants::list::ROUTE => key_grants::list::answer(&call).await,
        key_grants::show::ROUTE => key_grants::show::answer(&call).await,
        key_grants::put::ROUTE => key_grants::put::answer(&call).await,
        key_grants::withdraw::ROUTE => key_grants::withdraw::answer(&call).await,
        key_grants::dependents::ROUTE => key_grants::dependents::answer(&call).await,
        _ => ims::unrouted(""),
    };
    call.finish(reply)
}
