//! The function `identity`: the access keys of a project, and tokens for their holders in Keystone's words.

use imageshare::facade::{Reply, identity, ims};
use imageshare::function::{Function, route_of};
use lambda_http::Request;

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    match route_of(&request).as_str() {
        route if identity::version::ROUTES.contains(&route) => {
            return function.answer_anybody(request, identity::version::answer);
        }
        identity::create_token::ROUTE => {
            let received = match function.receive(request) {
                Ok(received) => received,
                Err(refused) => return *refused,
            };
            let reply = identity::create_token::answer(&function.authenticator, &received).await;
            return received.finish(reply);
        }
        _ => {}
    }
    let call = match function.admit(request).await {
        Ok(call) => call,
        Err(refused) => return refused,
    };
    let reply = match call.route() {
        identity::create_key::ROUTE => identity::create_key::answer(&call).await,
        identity::list_keys::ROUTE => identity::list_keys::answer(&call).await,
        identity::disable_key::ROUTE => identity::disable_key::answer(&call).await,
        identity::catalog::ROUTE => identity::catalog::answer(&call),
        identity::projects::SHOW_ROUTE => identity::projects::answer_show(&call).await,
        identity::projects::FIND_ROUTE => identity::projects::answer_find(&call).await,
        identity::projects::OWN_ROUTE => identity::projects::answer_own(&call).await,
        route if identity::domains::ROUTES.contains(&route) => identity::domains::answer(&call),
        identity::revoke_token::ROUTE => identity::revoke_token::answer(&function.authenticator, &call).await,
        identity::show_token::ROUTE => identity::show_token::answer(&function.authenticator, &call).await,
        identity::show_token::ANY_ROUTE if call.method() == "HEAD" => {
            identity::show_token::answer(&function.authenticator, &call).await
        }
        identity::show_token::ANY_ROUTE => ims::unrouted("DELETE, GET, HEAD, POST"),
        _ => ims::unrouted(""),
    };
    call.finish(reply)
}
