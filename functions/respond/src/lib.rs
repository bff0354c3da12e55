//! The function `respond`: `PUT` of members, which accepts or rejects many images or one.

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
        ims::respond::ROUTE => ims::respond::handle(request).await,
        glance::members::update::ROUTE => glance::members::update::handle(request).await,
        _ => ims::route_not_found(""),
    }
}
