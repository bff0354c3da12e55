//! The function `identity`: the access keys of a project, the service as a caller sees it, and Keystone's API to get, show and revoke tokens.

use imageshare::facade::{self, identity, ims};
use imageshare::function::HttpFunction;
use imageshare::http::{AuthenticatedRequest, HttpResponse, route_key};
use lambda_http::Request;

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    match route_key(&request).as_str() {
        route if identity::version::ROUTES.contains(&route) => {
            function.handle_public(request, identity::version::handle)
        }
        identity::create_token::ROUTE => create_token(function, request).await,
        _ => {
            let dispatch = async |request: &AuthenticatedRequest| dispatch(function, request).await;
            function.handle(request, facade::reject, dispatch).await
        }
    }
}

/// Creates a token. The credential is in the body.
async fn create_token(function: &HttpFunction, request: Request) -> HttpResponse {
    match function.receive(request) {
        Ok(incoming) => {
            let response = identity::create_token::handle(&function.authenticator, &incoming).await;
            incoming.finish(response)
        }
        Err(rejected) => facade::reject(*rejected),
    }
}

async fn dispatch(function: &HttpFunction, request: &AuthenticatedRequest) -> HttpResponse {
    let authenticator = &function.authenticator;
    match request.route() {
        identity::create_key::ROUTE => identity::create_key::handle(request).await,
        identity::list_keys::ROUTE => identity::list_keys::handle(request).await,
        identity::show_key::ROUTE => identity::show_key::handle(request).await,
        identity::rename_key::ROUTE => identity::rename_key::handle(request).await,
        identity::disable_key::ROUTE => identity::disable_key::handle(request).await,
        identity::service::ROUTE => identity::service::handle(request),
        identity::catalog::ROUTE => identity::catalog::handle(request),
        identity::projects::SHOW_ROUTE => identity::projects::handle_show(request).await,
        identity::projects::FIND_ROUTE => identity::projects::handle_find(request).await,
        identity::projects::OWN_ROUTE => identity::projects::handle_own(request).await,
        route if identity::domains::ROUTES.contains(&route) => identity::domains::handle(request),
        identity::revoke_token::ROUTE => identity::revoke_token::handle(authenticator, request).await,
        identity::show_token::ROUTE => identity::show_token::handle(authenticator, request).await,
        identity::show_token::ANY_ROUTE if request.method() == "HEAD" => {
            identity::show_token::handle(authenticator, request).await
        }
        identity::show_token::ANY_ROUTE => ims::route_not_found("DELETE, GET, HEAD, POST"),
        _ => ims::route_not_found(""),
    }
}
