//! The function `messages`: the messages of a project.

use imageshare::facade::messages::{list, mark, mark_all, show};
use imageshare::facade::{self, ims};
use imageshare::function::HttpFunction;
use imageshare::http::{AuthenticatedRequest, HttpResponse};
use lambda_http::Request;

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    function.handle(request, facade::reject, dispatch).await
}

async fn dispatch(request: &AuthenticatedRequest) -> HttpResponse {
    match request.route() {
        list::ROUTE => list::handle(request).await,
        mark_all::ROUTE => mark_all::handle(request).await,
        show::ROUTE => show::handle(request).await,
        mark::ROUTE => mark::handle(request).await,
        _ => ims::route_not_found(""),
    }
}
