//! The function `permission`: Alibaba's actions, all at `/`, where clients of Glance ask for the versions of the API.

use imageshare::facade::{Reply, alibaba, ims};
use imageshare::function::{Function, route_of};
use lambda_http::Request;

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    match route_of(&request) {
        alibaba::POST_ROUTE => act(function, request).await,
        alibaba::GET_ROUTE if alibaba::names_an_action(&request) => act(function, request).await,
        // Here `glance::versions` answers `GET /`.
        _ => match function.admit(request) {
            Ok(call) => call.finish(ims::unrouted("")),
            Err(refused) => refused,
        },
    }
}

async fn act(function: &Function, request: Request) -> Reply {
    let call = match function.admit_rpc(request) {
        Ok(call) => call,
        Err(refused) => return refused,
    };
    let reply = alibaba::answer(&call).await;
    call.finish(reply)
}
