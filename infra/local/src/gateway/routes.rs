//! Which function answers a method and path: read from `openapi.yaml`, the one place that states the routes.
//!
//! As on an HTTP API of API Gateway: an exact segment wins over a parameter, a method over `ANY`, and what nothing
//! matches goes to `$default`. A trailing slash makes another path. What the document need not say: `HEAD` is answered by
//! who answers `GET`.

use std::collections::BTreeMap;

use http::Method;
use imageshare::http::DEFAULT_BODY_LIMIT;
use serde::Deserialize;

use super::{Handler, Handlers};

/// The routes of `infra/openapi.yaml`.
pub const OPENAPI: &str = include_str!("../../../openapi.yaml");

/// The key of the route that takes what no other route matches.
pub(super) const DEFAULT_ROUTE: &str = "$default";

/// The function name that means: the gateway itself answers, whether the service is healthy or, at [`READINESS_ROUTE`], ready.
const GATEWAY_FUNCTION: &str = "gateway";

/// The route where a load balancer asks.
const READINESS_ROUTE: &str = "GET /ready";

/// Why a document does not make a set of routes.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// It is no OpenAPI document with functions.
    #[error("the routes cannot be read: {0}")]
    Unreadable(#[from] serde_norway::Error),
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
    exact: Vec<(Method, Route)>,
    any: Option<Route>,
}

impl Routes {
    /// The routes of an OpenAPI document, answered by those handlers.
    pub(super) fn parse(openapi: &str, handlers: &Handlers) -> Result<Self, RoutesError> {
        let document: OpenApiDocument = serde_norway::from_str(openapi)?;
        let mut paths = matchit::Router::new();
        let mut default = None;
        for (path, item) in document.paths {
            let methods = item.into_routes(&path, handlers)?;
            if path == "/$default" {
                default = methods.any;
            } else {
                let inserted = paths.insert(path.clone(), methods);
                inserted.map_err(|problem| RoutesError::InvalidPath { path, problem })?;
            }
        }
        Ok(Self { paths, default: default.ok_or(RoutesError::MissingDefault)? })
    }

    /// The route of a request, and its path's parameters as they stand in the path.
    pub(super) fn find<'a>(&'a self, method: &Method, path: &'a str) -> (&'a Route, Vec<(&'a str, &'a str)>) {
        let Ok(found) = self.paths.at(path) else {
            return (&self.default, Vec::new());
        };
        let exact = found.value.exact.iter().find(|(exact, _)| exact == method).map(|(_, route)| route);
        match exact.or(found.value.any.as_ref()) {
            Some(route) => (route, found.params.iter().collect()),
            None => (&self.default, Vec::new()),
        }
    }
}

#[derive(Deserialize)]
struct OpenApiDocument {
    paths: BTreeMap<String, PathItem>,
}

#[derive(Deserialize)]
struct PathItem {
    get: Option<Operation>,
    post: Option<Operation>,
    put: Option<Operation>,
    patch: Option<Operation>,
    delete: Option<Operation>,
    #[serde(rename = "x-amazon-apigateway-any-method")]
    any: Option<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    #[serde(rename = "x-imageshare-function")]
    function: String,
    #[serde(rename = "x-imageshare-body-limit")]
    body_limit: Option<usize>,
}

impl PathItem {
    fn into_routes(self, path: &str, handlers: &Handlers) -> Result<PathRoutes, RoutesError> {
        let mut methods = PathRoutes::default();
        let named = [
            (Method::GET, self.get),
            (Method::POST, self.post),
            (Method::PUT, self.put),
            (Method::PATCH, self.patch),
            (Method::DELETE, self.delete),
        ];
        for (method, operation) in named {
            if let Some(operation) = operation {
                let route = operation.into_route(format!("{method} {path}"), handlers)?;
                if method == Method::GET {
                    let head = Route { key: format!("HEAD {path}"), target: route.target.clone(), ..route };
                    methods.exact.push((Method::HEAD, head));
                }
                methods.exact.push((method, route));
            }
        }
        if let Some(operation) = self.any {
            let key = if path == "/$default" { DEFAULT_ROUTE.to_owned() } else { format!("ANY {path}") };
            methods.any = Some(operation.into_route(key, handlers)?);
        }
        Ok(methods)
    }
}

impl Operation {
    fn into_route(self, key: String, handlers: &Handlers) -> Result<Route, RoutesError> {
        let body_limit = self.body_limit.unwrap_or(DEFAULT_BODY_LIMIT);
        if self.function == GATEWAY_FUNCTION {
            let target = if key == READINESS_ROUTE { RouteTarget::Readiness } else { RouteTarget::Health };
            return Ok(Route { key, body_limit, target });
        }
        match handlers.get(&self.function) {
            Some(handler) => Ok(Route { key, body_limit, target: RouteTarget::Function(handler) }),
            None => Err(RoutesError::UnknownFunction { route: key, function: self.function }),
        }
    }
}
