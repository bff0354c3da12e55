//! The function `identity`: the access keys of a project, and tokens for their holders in Keystone's words.

use imageshare::facade::{self, identity, ims};
use imageshare::function::HttpFunction;
use imageshare::http::{HttpResponse, route_key};
use lambda_http::Request;

/// Answers one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    match route_key(&request).as_str() {
        route if identity::version::ROUTES.contains(&route) => {
            return function.handle_public(request, identity::version::handle);
        }
        identity::create_token::ROUTE => {
            let received = match function.receive(request) {
                Ok(received) => received,
                Err(rejected) => return facade::reject(*rejected),
            };
            let reply = identity::create_token::handle(&function.authenticator, &received).await;
            return received.finish(reply);
        }
        _ => {}
    }
    let call = match function.authenticate(request).await {
        Ok(call) => call,
        Err(rejected) => return facade::reject(*rejected),
    };
    let reply = match call.route() {
        identity::create_key::ROUTE => identity::create_key::handle(&call).await,
        identity::list_keys::ROUTE => identity::list_keys::handle(&call).await,
        identity::disable_key::ROUTE => identity::disable_key::handle(&call).await,
        identity::catalog::ROUTE => identity::catalog::handle(&call),
        identity::projects::SHOW_ROUTE => identity::projects::handle_show(&call).await,
        identity::projects::FIND_ROUTE => identity::projects::handle_find(&call).await,
        identity::projects::OWN_ROUTE => identity::projects::handle_own(&call).await,
        route if identity::domains::ROUTES.contains(&route) => identity::domains::handle(&call),
        identity::revoke_token::ROUTE => identity::revoke_token::handle(&function.authenticator, &call).await,
        identity::show_token::ROUTE => identity::show_token::handle(&function.authenticator, &call).await,
        identity::show_token::ANY_ROUTE if call.method() == "HEAD" => {
            identity::show_token::handle(&function.authenticator, &call).await
        }
        identity::show_token::ANY_ROUTE => ims::route_not_found("DELETE, GET, HEAD, POST"),
        _ => ims::route_not_found(""),
    };
    call.finish(reply)
}
