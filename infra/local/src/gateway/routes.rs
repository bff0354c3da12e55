//! Finds the function for a method and path, by the routes of `openapi.yaml`, which lists each route once.
//!
//! As on an HTTP API of API Gateway, an exact segment takes precedence over a parameter and a method over `ANY`, and a
//! request that matches no route goes to `$default`. A trailing slash makes a different path. A route for `GET` handles
//! `HEAD` too, without an entry in the document.

use http::Method;
use imageshare::http::DEFAULT_BODY_LIMIT;
use imageshare_routes::{ANY, DEFAULT_ROUTE, Document};

use super::handlers::{Handler, Handlers};

/// The routes that this gateway handles itself, whatever function the document names: health, and readiness, which a load
/// balancer polls. Both depend on the disk, and readiness on whether the server is stopping.
const HEALTH_ROUTE: &str = "GET /health";
const READINESS_ROUTE: &str = "GET /ready";

/// Why the routes of a document cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// The document is not OpenAPI, or an operation names no function.
    #[error("the routes cannot be read: {0}")]
    Unreadable(#[from] imageshare_routes::Error),
    /// The path is invalid, or matches the same requests as another.
    #[error("the path {path} cannot be routed: {problem}")]
    InvalidPath {
        /// The path.
        path: String,
        /// The router's error.
        problem: matchit::InsertError,
    },
    /// A route names a function that does not exist.
    #[error("the route {route} names the function {function}, which does not exist")]
    UnknownFunction {
        /// The route's key.
        route: String,
        /// The name.
        function: String,
    },
    /// There is no route for requests that match no other.
    #[error("the route $default is missing")]
    MissingDefault,
}

/// All routes.
pub(super) struct Routes {
    paths: matchit::Router<PathRoutes>,
    default: Route,
}

/// One route: its key, as in events; the limit of its bodies, in bytes; and what handles it.
pub(super) struct Route {
    pub(super) key: String,
    pub(super) body_limit: usize,
    pub(super) target: RouteTarget,
}

/// What handles a route.
#[derive(Clone)]
pub(super) enum RouteTarget {
    Function(Handler),
    Health,
    Readiness,
}

#[derive(Default)]
struct PathRoutes {
    exact: Vec<(&'static str, Route)>,
    any: Option<Route>,
}

impl Routes {
    /// Reads the routes of an OpenAPI document, and finds their handlers.
    pub(super) fn parse(openapi: &str, handlers: &Handlers) -> Result<Self, RoutesError> {
        let mut paths = matchit::Router::new();
        let mut default = None;
        for (path, routes) in Document::parse(openapi)?.paths {
            let methods = PathRoutes::new(routes, handlers)?;
            if methods.any.as_ref().is_some_and(|route| route.key == DEFAULT_ROUTE) {
                default = methods.any;
            } else {
                let inserted = paths.insert(matched_path(&path), methods);
                inserted.map_err(|problem| RoutesError::InvalidPath { path, problem })?;
            }
        }
        Ok(Self { paths, default: default.ok_or(RoutesError::MissingDefault)? })
    }

    /// Whether there are routes for a path.
    pub(super) fn has_path(&self, path: &str) -> bool {
        self.paths.at(path).is_ok()
    }

    /// Returns the route of a request, and the path's parameters, still percent-encoded.
    pub(super) fn find<'a>(&'a self, method: &Method, path: &'a str) -> (&'a Route, Vec<(&'a str, &'a str)>) {
        let Ok(found) = self.paths.at(path) else {
            return (&self.default, Vec::new());
        };
        let exact = found.value.exact.iter().find(|(exact, _)| method == exact).map(|(_, route)| route);
        match exact.or(found.value.any.as_ref()) {
            Some(route) => (route, found.params.iter().collect()),
            None => (&self.default, Vec::new()),
        }
    }
}

/// A path of the document as the router writes it: `{page+}`, which stands for all segments to the end, is `{*page}`.
fn matched_path(path: &str) -> String {
    match path.strip_suffix("+}").and_then(|start| start.rsplit_once('{')) {
        Some((start, name)) => format!("{start}{{*{name}}}"),
        None => path.to_owned(),
    }
}

impl Route {
    /// A route of the document, with the handler of its function.
    fn new(route: imageshare_routes::Route, handlers: &Handlers) -> Result<Self, RoutesError> {
        let imageshare_routes::Route { key, function, body_limit, .. } = route;
        let body_limit = body_limit.unwrap_or(DEFAULT_BODY_LIMIT);
        let target = match (key.as_str(), handlers.get(&function)) {
            (HEALTH_ROUTE, _) => RouteTarget::Health,
            (READINESS_ROUTE, _) => RouteTarget::Readiness,
            (_, Some(handler)) => RouteTarget::Function(handler),
            (_, None) => return Err(RoutesError::UnknownFunction { route: key, function }),
        };
        Ok(Self { key, body_limit, target })
    }
}

impl PathRoutes {
    /// The routes of one path, with `HEAD` for each `GET`.
    fn new(routes: Vec<imageshare_routes::Route>, handlers: &Handlers) -> Result<Self, RoutesError> {
        let mut methods = Self::default();
        for route in routes {
            let method = route.method;
            let route = Route::new(route, handlers)?;
            match method {
                ANY => methods.any = Some(route),
                "GET" => {
                    let key = route.key.replacen("GET", "HEAD", 1);
                    methods.exact.push(("HEAD", Route { key, target: route.target.clone(), ..route }));
                    methods.exact.push((method, route));
                }
                _ => methods.exact.push((method, route)),
            }
        }
        Ok(methods)
    }
}
