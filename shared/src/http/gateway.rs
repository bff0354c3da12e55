//! What the gateway's event says about a request besides HTTP: the route that matched, and the request's id.

use http::HeaderValue;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

/// The gateway's route key, as `GET /v1/cloudimages/quota`; empty where a request has none. `HEAD` is answered as `GET` is:
/// the server that sends the answer leaves its body out.
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

/// The gateway's id for the request; a new one where it has none.
pub(crate) fn request_id_or_new(request: &Request) -> String {
    let given = gateway_request_id(request).filter(|id| HeaderValue::from_str(id).is_ok());
    given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// The id that the gateway gave the request; `None` where it gave none.
pub(crate) fn gateway_request_id(request: &Request) -> Option<&str> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref(),
        _ => None,
    }
}
