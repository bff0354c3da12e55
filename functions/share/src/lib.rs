//! The function `share`: `POST` of members, which shares many images or one.

use imageshare::facade::{self, glance, ims};
use imageshare::function::HttpFunction;
use imageshare::http::HttpResponse;
use lambda_http::Request;

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    let request = match function.authenticate(request).await {
        Ok(authenticated) => authenticated,
        Err(rejected) => return facade::reject(*rejected),
    };
    let response = match request.route() {
        ims::share::ROUTE => ims::share::handle(&request).await,
        glance::members::add::ROUTE => glance::members::add::handle(&request).await,
        _ => ims::route_not_found(""),
    };
    request.finish(response)
}
