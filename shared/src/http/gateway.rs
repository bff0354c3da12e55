//! What the gateway's event has besides the HTTP request: the matched route, and the request's id.

use http::HeaderValue;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

/// Returns the gateway's route key, as `GET /v1/cloudimages/quota`; empty if the event has none. `HEAD` counts as
/// `GET`, since the server that sends the response omits its body.
pub fn route_key(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            let route = context.route_key.clone().unwrap_or_default();
            match route.strip_prefix("HEAD ") {
                Some(path) => format!("GET {path}"),
                None => route,
            }
        }
        _ => String::new(),
    }
}

/// Returns the gateway's request id, or a new one if it is missing or not valid in a header.
pub(crate) fn request_id_or_new(request: &Request) -> String {
    let given = gateway_request_id(request).filter(|id| HeaderValue::from_str(id).is_ok());
    given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// Returns the gateway's request id, if there is one.
pub(crate) fn gateway_request_id(request: &Request) -> Option<&str> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref(),
        _ => None,
    }
}
