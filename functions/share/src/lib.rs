//! The function `share`: `POST` of members, which shares many images or one.

use imageshare::facade::{self, glance, ims};
use imageshare::function::HttpFunction;
use imageshare::http::{AuthenticatedRequest, HttpResponse};
use lambda_http::Request;

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    function.handle(request, facade::reject, dispatch).await
}

async fn dispatch(request: &AuthenticatedRequest) -> HttpResponse {
    match request.route() {
        ims::share::ROUTE => ims::share::handle(request).await,
        glance::members::add::ROUTE => glance::members::add::handle(request).await,
        _ => ims::route_not_found(""),
    }
}
