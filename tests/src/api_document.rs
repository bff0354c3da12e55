//! `infra/openapi.yaml` for tests: its operations, and whether a response conforms to it.

use std::borrow::Cow;

use imageshare_local::gateway::OPENAPI;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::schema;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// From the document's introduction.
const DEFAULT_BODY_LIMIT: usize = 16_384;

/// The first path of the operations whose responses are pages.
const CONSOLE: &str = "/console";

/// What stands for the statuses that an operation does not name.
const DEFAULT_RESPONSE: &str = "default";

const ANY_METHOD: &str = "x-amazon-apigateway-any-method";

/// Statuses of the errors that an operation documents as `default`.
const DEFAULT_STATUSES: [u16; 10] = [400, 401, 403, 404, 409, 413, 415, 429, 500, 503];

/// Statuses that the gateway may return for any operation, from the document's introduction.
const GATEWAY_STATUSES: [u16; 4] = [408, 413, 431, 504];

/// The document.
pub struct ApiDocument {
    root: Value,
}

/// One operation of the document.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its `operationId`; for the other methods of a path, that of the path.
    pub id: String,
    /// `GET`, …; `ANY` for the other methods of a path.
    pub method: String,
    /// The path, with parameters in braces.
    pub path: String,
    /// Whether it needs no credential.
    pub is_anonymous: bool,
    /// Its parameters, including those of its path.
    pub parameters: Vec<Parameter>,
    /// The size limit of its body, in bytes.
    pub body_limit: usize,
    /// The schema of its body, if that is JSON.
    pub body_schema: Option<Value>,
    responses: Value,
}

/// A parameter of an operation.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// `path`, `query` or `header`.
    pub location: String,
    /// The schema of its values.
    pub schema: Value,
}

impl Operation {
    /// The statuses that it may return.
    pub fn statuses(&self) -> Vec<u16> {
        let named = self.responses.as_object().into_iter().flat_map(|responses| responses.keys());
        let has_default = self.responses.get(DEFAULT_RESPONSE).is_some();
        let default = DEFAULT_STATUSES.into_iter().filter(|_| has_default);
        let named = named.filter(|status| *status != DEFAULT_RESPONSE);
        named.map(|status| status.parse().expect("a status")).chain(default).chain(GATEWAY_STATUSES).collect()
    }

    /// Whether people use it, so that its responses are pages, also those of errors.
    pub fn is_page(&self) -> bool {
        self.path == CONSOLE || self.path.starts_with("/console/")
    }

    fn response(&self, status: u16) -> &Value {
        self.responses.get(status.to_string()).unwrap_or(&self.responses[DEFAULT_RESPONSE])
    }

    /// The same operation in a minor version of Glance's API; `None` if its path is not in `/v2`.
    pub fn with_minor_version(&self) -> Option<Self> {
        let rest = self.path.strip_prefix("/v2/")?;
        Some(Self { path: format!("/v2.7/{rest}"), ..self.clone() })
    }

    /// Its parameters in `path`, `query` or `header`.
    pub fn parameters_in<'a>(&'a self, location: &'a str) -> impl Iterator<Item = &'a Parameter> {
        self.parameters.iter().filter(move |parameter| parameter.location == location)
    }
}

impl ApiDocument {
    /// Loads the document that the server and the deployment are made from.
    pub fn load() -> Self {
        Self { root: serde_norway::from_str(OPENAPI).expect("the document") }
    }

    /// Every operation that has an `operationId`.
    pub fn operations(&self) -> Vec<Operation> {
        let mut operations = Vec::new();
        for (path, item) in self.paths() {
            let found = METHODS.iter().filter_map(|method| self.parse_operation(path, item, method));
            operations.extend(found);
        }
        operations
    }

    /// Every documented path, with its methods in alphabetical order.
    pub fn methods_by_path(&self) -> Vec<(String, Vec<String>)> {
        let named = self.paths().filter(|(path, _)| *path != "/$default");
        named
            .map(|(path, item)| {
                let mut methods: Vec<String> = METHODS
                    .iter()
                    .filter(|method| item.get(**method).is_some())
                    .map(|method| method.to_uppercase())
                    .collect();
                if methods.iter().any(|method| method == "GET") {
                    methods.push("HEAD".to_owned());
                }
                methods.sort();
                (path.to_owned(), methods)
            })
            .collect()
    }

    /// Finds the operation that handles a request: a named one, or that of all other methods or all other paths.
    pub fn find_operation(&self, method: &str, path: &str) -> Operation {
        let path = &normalize_version(path);
        let mut fitting: Vec<_> =
            self.paths().filter(|(template, _)| matches_template(template, path)).collect();
        // An exact segment takes precedence over a parameter.
        fitting.sort_by_key(|(template, _)| template.matches('{').count());
        let (template, item) =
            fitting.first().copied().unwrap_or_else(|| ("/$default", &self.root["paths"]["/$default"]));
        // `HEAD` is handled as `GET`. Methods are case-sensitive, so `get` is another method.
        let method = if method == "HEAD" { "GET" } else { method };
        let known = METHODS.iter().find(|known| known.to_uppercase() == method);
        known
            .and_then(|known| self.parse_operation(template, item, known))
            .or_else(|| self.parse_operation(template, item, ANY_METHOD))
            .expect("every path has every method")
    }

    /// Describes how a value violates a schema of this document; `None` if it does not.
    pub fn schema_violation(&self, schema: &Value, value: &Value) -> Option<String> {
        schema::violation(&self.root, schema, value)
    }

    /// Describes how a response violates the document; `None` if it does not.
    pub fn response_violation(
        &self,
        operation: &Operation,
        status: u16,
        body: Option<&Value>,
    ) -> Option<String> {
        if !operation.statuses().contains(&status) {
            return Some(format!("status {status} is not in the document for {}", operation.id));
        }
        let response = self.resolve(operation.response(status));
        // A body that is not JSON is text.
        let is_string = |schema: &Value| schema["type"] == "string";
        let has_text = |schema: &Value| {
            is_string(schema) || schema["anyOf"].as_array().is_some_and(|any| any.iter().any(is_string))
        };
        let is_text = |schema: &&Value| has_text(schema) && body.is_some_and(Value::is_string);
        let content = response.pointer("/content/application~1json/schema");
        let other =
            || response["content"].as_object()?.values().map(|content| &content["schema"]).find(is_text);
        let content = other().or(content);
        match (content, body) {
            (Some(schema), Some(body)) => self.schema_violation(schema, body),
            (None, _) if response["x-imageshare-body"] == "optional" => None,
            (Some(_), None) => Some("the body is missing".to_owned()),
            (None, Some(_)) if !GATEWAY_STATUSES.contains(&status) => {
                Some("a body was not expected".to_owned())
            }
            (None, _) => None,
        }
    }

    fn paths(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.root["paths"].as_object().into_iter().flatten().map(|(path, item)| (path.as_str(), item))
    }

    fn parse_operation(&self, path: &str, item: &Value, method: &str) -> Option<Operation> {
        let operation = item.get(method)?;
        let id = operation["operationId"].as_str().map_or_else(|| format!("ANY {path}"), str::to_owned);
        let body = operation["requestBody"]["content"].as_object();
        let parameters = [&item["parameters"], &operation["parameters"]];
        let parameters = parameters.iter().filter_map(|list| list.as_array()).flatten();
        Some(Operation {
            id,
            method: if method == ANY_METHOD { "ANY".to_owned() } else { method.to_uppercase() },
            path: path.to_owned(),
            is_anonymous: operation["security"]
                .as_array()
                .is_some_and(|ways| ways.is_empty() || ways.contains(&json!({}))),
            body_limit: operation["x-imageshare-body-limit"]
                .as_u64()
                .map_or(DEFAULT_BODY_LIMIT, |limit| usize::try_from(limit).expect("a limit")),
            parameters: parameters.map(|parameter| self.parse_parameter(parameter)).collect(),
            body_schema: body
                .and_then(|types| types.iter().find(|(name, _)| name.contains("json")))
                .map(|(_, body)| body["schema"].clone()),
            responses: operation["responses"].clone(),
        })
    }

    fn parse_parameter(&self, parameter: &Value) -> Parameter {
        let parameter = self.resolve(parameter);
        let text = |name: &str| parameter[name].as_str().expect("a parameter's name and place").to_owned();
        Parameter { name: text("name"), location: text("in"), schema: parameter["schema"].clone() }
    }

    /// Resolves a reference; returns any other value unchanged.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        value["$ref"].as_str().map_or(value, |reference| schema::resolve_reference(&self.root, reference))
    }
}

/// The path in `/v2` of a path in a minor version (see the document's introduction). The gateway has no route for
/// minor versions, and passes the path on decoded.
fn normalize_version(path: &str) -> Cow<'_, str> {
    let mut versions = (0..=17).map(|minor| format!("/v2.{minor}"));
    let rest =
        versions.find_map(|version| path.strip_prefix(&version).filter(|rest| is_segment_boundary(rest)));
    match rest {
        Some(rest) => format!("/v2{}", percent_decode_str(rest).decode_utf8_lossy()).into(),
        None => path.into(),
    }
}

fn is_segment_boundary(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

fn matches_template(template: &str, path: &str) -> bool {
    let is_match = |(segment, given): (&str, &str)| {
        if segment.starts_with('{') { !given.is_empty() } else { segment == given }
    };
    // A parameter such as `{page+}` is all segments to the end.
    if let Some((start, _)) = template.rsplit_once('/').filter(|(_, last)| last.ends_with("+}")) {
        let rest: Vec<_> = path.splitn(start.split('/').count() + 1, '/').collect();
        return rest.len() > start.split('/').count() && template.split('/').zip(rest).all(is_match);
    }
    template.split('/').count() == path.split('/').count()
        && template.split('/').zip(path.split('/')).all(is_match)
}
