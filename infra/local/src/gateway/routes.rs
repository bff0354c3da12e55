//! Which function answers a method and path: read from `openapi.yaml`, the one place that states the routes.
//!
//! As on an HTTP API of API Gateway: an exact segment wins over a parameter, a method over `ANY`, and what nothing
//! matches goes to `$default`. A trailing slash makes another path. What the document need not say: `HEAD` is answered by
//! who answers `GET`.

use http::Method;
use imageshare::http::DEFAULT_BODY_LIMIT;
use imageshare_routes::{ANY, DEFAULT_ROUTE, Document};

use super::handlers::{Handler, Handlers};

/// The routes that this gateway answers itself, whatever the document says: whether the service is healthy, and, for a load
/// balancer, whether it is ready. Both depend on the disk, and the second on whether the server stops.
const HEALTH_ROUTE: &str = "GET /health";
const READINESS_ROUTE: &str = "GET /ready";

/// Why a document does not make a set of routes.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// It is no OpenAPI document with functions.
    #[error("the routes cannot be read: {0}")]
    Unreadable(#[from] imageshare_routes::Error),
    /// Two paths mean the same.
    #[error("the path {path} cannot be routed: {problem}")]
    InvalidPath {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: matchit::InsertError,
    },
    /// A route names a function that there is not.
    #[error("the route {route} wants the function {function}, which does not exist")]
    UnknownFunction {
        /// The route's key.
        route: String,
        /// The name.
        function: String,
    },
    /// Nothing answers what no route matches.
    #[error("the route $default is missing")]
    MissingDefault,
}

/// All routes.
pub(super) struct Routes {
    paths: matchit::Router<PathRoutes>,
    default: Route,
}

/// One route: its key as events carry it, how many bytes its bodies may have, and who answers.
pub(super) struct Route {
    pub(super) key: String,
    pub(super) body_limit: usize,
    pub(super) target: RouteTarget,
}

/// Who answers a route.
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
    /// The routes of an OpenAPI document, answered by those handlers.
    pub(super) fn parse(openapi: &str, handlers: &Handlers) -> Result<Self, RoutesError> {
        let mut paths = matchit::Router::new();
        let mut default = None;
        for (path, routes) in Document::parse(openapi)?.paths {
            let methods = PathRoutes::new(routes, handlers)?;
            if methods.any.as_ref().is_some_and(|route| route.key == DEFAULT_ROUTE) {
                default = methods.any;
            } else {
                let inserted = paths.insert(path.clone(), methods);
                inserted.map_err(|problem| RoutesError::InvalidPath { path, problem })?;
            }
        }
        Ok(Self { paths, default: default.ok_or(RoutesError::MissingDefault)? })
    }

    /// Whether there are routes for a path.
    pub(super) fn has_path(&self, path: &str) -> bool {
        self.paths.at(path).is_ok()
    }

    /// The route of a request, and its path's parameters as they stand in the path.
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

impl Route {
    /// A route of the document, answered by the handler of its function.
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
    /// The routes of one path, with `HEAD` wherever there is `GET`.
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
