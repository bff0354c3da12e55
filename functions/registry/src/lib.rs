//! The function `registry`: the directory of tenants, vaults, key grants, trusted and blocked owners, and queries of
//! memberships.

use imageshare::facade::registry::{key_grants, owners, tenants, vaults};
use imageshare::facade::{self, ims, memberships};
use imageshare::function::HttpFunction;
use imageshare::http::{AuthenticatedRequest, HttpResponse};
use lambda_http::Request;

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    function.handle(request, facade::reject, dispatch).await
}

async fn dispatch(request: &AuthenticatedRequest) -> HttpResponse {
    match request.route() {
        tenants::list::ROUTE => tenants::list::handle(request).await,
        tenants::show::ROUTE => tenants::show::handle(request).await,
        tenants::put::ROUTE => tenants::put::handle(request).await,
        tenants::delete::ROUTE => tenants::delete::handle(request).await,
        vaults::list::ROUTE => vaults::list::handle(request).await,
        vaults::show::ROUTE => vaults::show::handle(request).await,
        vaults::put::ROUTE => vaults::put::handle(request).await,
        vaults::delete::ROUTE => vaults::delete::handle(request).await,
        key_grants::list::ROUTE => key_grants::list::handle(request).await,
        key_grants::show::ROUTE => key_grants::show::handle(request).await,
        key_grants::put::ROUTE => key_grants::put::handle(request).await,
        key_grants::withdraw::ROUTE => key_grants::withdraw::handle(request).await,
        key_grants::dependents::ROUTE => key_grants::dependents::handle(request).await,
        owners::list::ROUTE => owners::list::handle(request).await,
        owners::show::ROUTE => owners::show::handle(request).await,
        owners::put::ROUTE => owners::put::handle(request).await,
        owners::delete::ROUTE => owners::delete::handle(request).await,
        memberships::query::ROUTE => memberships::query::handle(request).await,
        _ => ims::route_not_found(""),
    }
}
