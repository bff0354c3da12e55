//! The function `respond`: `PUT` of members, which accepts or rejects many images or one.

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
        ims::respond::ROUTE => ims::respond::handle(&request).await,
        glance::members::update::ROUTE => glance::members::update::handle(&request).await,
        _ => ims::route_not_found(""),
    };
    request.finish(response)
}
