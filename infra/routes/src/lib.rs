//! The routes and functions of imageshare, read from `infra/openapi.yaml`, which names each of them once.
//!
//! The local gateway routes requests with them, build scripts and tests list them, and `cargo task routes` prints them.
//! A deployment reads the document itself. No function on AWS links this crate: a build script puts what a function
//! needs of the document into its binary.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
pub use serde_norway::Error;

/// The text of `infra/openapi.yaml`.
pub const OPENAPI: &str = include_str!("../../openapi.yaml");

/// The method of a route that takes every method for which its path has no route.
pub const ANY: &str = "ANY";

/// The key of the route that takes every request which no other route matches.
pub const DEFAULT_ROUTE: &str = "$default";

/// The path under which the document describes [`DEFAULT_ROUTE`].
const DEFAULT_PATH: &str = "/$default";

/// What the document says about routes and functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The routes of each path, sorted by path. An exact segment sorts before a parameter in its place.
    pub paths: BTreeMap<String, Vec<Route>>,
    /// The functions that no route leads to: the table's stream and a schedule invoke them.
    pub workers: BTreeSet<String>,
}

/// One route: a method of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The method in upper case, or [`ANY`].
    pub method: &'static str,
    /// The key by which events name the route: `GET /v2/images`, `ANY /v2/images`, or [`DEFAULT_ROUTE`].
    pub key: String,
    /// The function that handles the route.
    pub function: String,
    /// The maximum size of a request body in bytes, if the document states one.
    pub body_limit: Option<usize>,
}

impl Document {
    /// Reads `infra/openapi.yaml` as it was when this crate was built. Takes some milliseconds.
    ///
    /// # Errors
    /// The document is not OpenAPI, or an operation names no function.
    pub fn load() -> Result<Self, Error> {
        Self::parse(OPENAPI)
    }

    /// Reads the routes and functions of a document.
    ///
    /// # Errors
    /// The text is not an OpenAPI document, or an operation names no function.
    pub fn parse(openapi: &str) -> Result<Self, Error> {
        let OpenApi { paths, workers } = serde_norway::from_str(openapi)?;
        let paths = paths.into_iter().map(|(path, item)| {
            let routes = item.into_routes(&path);
            (path, routes)
        });
        Ok(Self { paths: paths.collect(), workers })
    }

    /// Every route, sorted by path.
    pub fn routes(&self) -> impl Iterator<Item = &Route> {
        self.paths.values().flatten()
    }

    /// The route with a key; the default route for a key that no route has.
    pub fn find(&self, key: &str) -> Option<&Route> {
        let with_key = |key: &str| self.routes().find(|route| route.key == key);
        with_key(key).or_else(|| with_key(DEFAULT_ROUTE))
    }

    /// The functions that handle HTTP requests, sorted by name.
    pub fn http_functions(&self) -> BTreeSet<&str> {
        self.routes().map(|route| route.function.as_str()).collect()
    }

    /// Every function, workers included, sorted by name.
    pub fn functions(&self) -> BTreeSet<&str> {
        self.http_functions().into_iter().chain(self.workers.iter().map(String::as_str)).collect()
    }
}

#[derive(Deserialize)]
struct OpenApi {
    paths: BTreeMap<String, PathItem>,
    #[serde(default, rename = "x-imageshare-workers")]
    workers: BTreeSet<String>,
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
    /// The routes of the path, those of named methods first.
    fn into_routes(self, path: &str) -> Vec<Route> {
        let operations = [
            ("DELETE", self.delete),
            ("GET", self.get),
            ("PATCH", self.patch),
            ("POST", self.post),
            ("PUT", self.put),
            (ANY, self.any),
        ];
        let routes = operations.into_iter().filter_map(|(method, operation)| {
            let Operation { function, body_limit } = operation?;
            let key = match (method, path) {
                (ANY, DEFAULT_PATH) => DEFAULT_ROUTE.to_owned(),
                _ => format!("{method} {path}"),
            };
            Some(Route { method, key, function, body_limit })
        });
        routes.collect()
    }
}

#[cfg(test)]
mod tests;
