//! The function `share-rules`: share rules of a project, what they would do, and what they have done.

use imageshare::facade::{self, ims, share_rules};
use imageshare::function::HttpFunction;
use imageshare::http::{AuthenticatedRequest, HttpResponse};
use lambda_http::Request;

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    function.handle(request, facade::reject, dispatch).await
}

async fn dispatch(request: &AuthenticatedRequest) -> HttpResponse {
    match request.route() {
        share_rules::list::ROUTE => share_rules::list::handle(request).await,
        share_rules::show::ROUTE => share_rules::show::handle(request).await,
        share_rules::put::ROUTE => share_rules::put::handle(request).await,
        share_rules::delete::ROUTE => share_rules::delete::handle(request).await,
        share_rules::enable::ROUTE => share_rules::enable::handle(request).await,
        share_rules::disable::ROUTE => share_rules::disable::handle(request).await,
        share_rules::dry_run::ROUTE => share_rules::dry_run::handle(request).await,
        share_rules::apply::ROUTE => share_rules::apply::handle(request).await,
        share_rules::jobs::ROUTE => share_rules::jobs::handle(request).await,
        _ => ims::route_not_found(""),
    }
}
