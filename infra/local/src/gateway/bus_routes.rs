//! The routes of the event bus, which only a server has. They are in no document: on AWS the bus is EventBridge's.

use http::Method;
use http::request::Parts;

use super::handlers::Handlers;
use super::routes::{Route, RouteTarget};

/// The name of the bus's API among the handlers.
pub const EVENTS: &str = "events";

/// The limit of a request's body, in bytes: entries of 256 KiB, in any encoding of JSON.
pub const EVENTS_BODY_LIMIT: usize = 1024 * 1024;

/// The path of the bus. Some clients append a slash to the path of an endpoint.
const PATHS: [&str; 2] = ["/events", "/events/"];

/// The header that names the call of one of AWS's services, and how the names of EventBridge's calls begin.
const TARGET: &str = "x-amz-target";
const TARGET_PREFIX: &[u8] = b"AWSEvents.";

/// The routes, if there is a bus.
pub(super) struct BusRoutes {
    put: Route,
    read: Route,
}

impl BusRoutes {
    /// The routes to the bus's API; `None` if it is not among the handlers.
    pub(super) fn new(handlers: &Handlers) -> Option<Self> {
        let handler = handlers.get(EVENTS)?;
        let route = |key: &str, body_limit| {
            let target = RouteTarget::Function(handler.clone());
            Route { key: key.to_owned(), body_limit, target }
        };
        Some(Self { put: route("POST /events", EVENTS_BODY_LIMIT), read: route("GET /events", 0) })
    }

    /// The route of a request; `None` if it is not for the bus. Clients of AWS send a call to `/` if their endpoint has no
    /// path.
    pub(super) fn find(&self, head: &Parts) -> Option<&Route> {
        let (path, is_post) = (head.uri.path(), head.method == Method::POST);
        let is_call =
            || head.headers.get(TARGET).is_some_and(|name| name.as_bytes().starts_with(TARGET_PREFIX));
        if is_post && (PATHS.contains(&path) || (path == "/" && is_call())) {
            return Some(&self.put);
        }
        (head.method == Method::GET && PATHS.contains(&path)).then_some(&self.read)
    }
}
