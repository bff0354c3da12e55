//! The function `permission`: Alibaba's actions, all at `/`, where clients of Glance ask for the versions of the API and
//! browsers get a page.

mod welcome;

use imageshare::facade::{Reply, alibaba, glance, ims};
use imageshare::function::{Function, route_of};
use lambda_http::Request;

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    match route_of(&request).as_str() {
        alibaba::POST_ROUTE => act(function, request).await,
        alibaba::GET_ROUTE if alibaba::names_an_action(&request) => act(function, request).await,
        alibaba::GET_ROUTE if welcome::is_wanted(&request) => {
            function.answer_anybody(request, |_, _| welcome::page())
        }
        route => match glance::versions::answer(route) {
            Some(answer) => function.answer_anybody(request, answer),
            None => match function.admit(request).await {
                Ok(call) => call.finish(ims::unrouted("")),
                Err(refused) => refused,
            },
        },
    }
}

async fn act(function: &Function, request: Request) -> Reply {
    let received = match function.receive(request) {
        Ok(received) => received,
        Err(refused) => return *refused,
    };
    let parameters = match alibaba::parameters(&received) {
        Ok(parameters) => parameters,
        Err(error) => {
            let reply = error.into_reply(&received, None);
            return received.finish(reply);
        }
    };
    match function.admit_rpc(received, parameters.pairs()).await {
        Ok(call) => {
            let reply = alibaba::answer(&call, &parameters).await;
            call.finish(reply)
        }
        Err((received, refused)) => {
            let reply = alibaba::Error::from(refused).into_reply(&received, Some(&parameters));
            received.finish(reply)
        }
    }
}
