//! The function `registry`: what operators and tenants register besides images: the directory of tenants, vaults, grants of
//! keys.

use imageshare::facade::registry::{key_grants, tenants, vaults};
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
        tenants::list::ROUTE => tenants::list::handle(&call).await,
        tenants::show::ROUTE => tenants::show::handle(&call).await,
        tenants::put::ROUTE => tenants::put::handle(&call).await,
        tenants::delete::ROUTE => tenants::delete::handle(&call).await,
        vaults::list::ROUTE => vaults::list::handle(&call).await,
        vaults::show::ROUTE => vaults::show::handle(&call).await,
        vaults::put::ROUTE => vaults::put::handle(&call).await,
        vaults::delete::ROUTE => vaults::delete::handle(&call).await,
        key_grants::list::ROUTE => key_grants::list::handle(&call).await,
        key_grants::show::ROUTE => key_grants::show::handle(&call).await,
        key_grants::put::ROUTE => key_grants::put::handle(&call).await,
        key_grants::withdraw::ROUTE => key_grants::withdraw::handle(&call).await,
        key_grants::dependents::ROUTE => key_grants::dependents::handle(&call).await,
        _ => ims::route_not_found(""),
    };
    call.finish(reply)
}
