//! The function `permission`: Alibaba's actions, all at the path `/`, where Glance's clients get the API versions and
//! browsers the way to the console.

use imageshare::facade::{self, alibaba, glance, ims};
use imageshare::function::HttpFunction;
use imageshare::http::{HttpResponse, prefers_html, redirect_to_console, route_key};
use lambda_http::Request;

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    match route_key(&request).as_str() {
        alibaba::POST_ROUTE => handle_action(function, request).await,
        alibaba::GET_ROUTE if alibaba::has_action(&request) => handle_action(function, request).await,
        alibaba::GET_ROUTE if prefers_html(request.headers()) && request.body().is_empty() => {
            function.handle_public(request, |_, _| redirect_to_console())
        }
        route => match glance::versions::handler(route) {
            Some(handler) => function.handle_public(request, handler),
            None => function.handle(request, facade::reject, async |_| ims::route_not_found("")).await,
        },
    }
}

async fn handle_action(function: &HttpFunction, request: Request) -> HttpResponse {
    let incoming = match function.receive(request) {
        Ok(incoming) => incoming,
        Err(rejected) => {
            let response = alibaba::reject(&rejected, None);
            return rejected.finish(response);
        }
    };
    let parameters = match alibaba::parse_parameters(&incoming) {
        Ok(parameters) => parameters,
        Err(error) => {
            let response = error.into_response(&incoming, None);
            return incoming.finish(response);
        }
    };
    match function.authenticate_rpc(incoming, parameters.pairs()).await {
        Ok(request) => {
            let response = alibaba::handle(&request, &parameters).await;
            request.finish(response)
        }
        Err(rejected) => {
            let response = alibaba::reject(&rejected, Some(&parameters));
            rejected.finish(response)
        }
    }
}
