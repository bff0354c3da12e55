//! The paths of the API. The gateway finds the route of a request; this function looks for itself where the gateway has
//! none: at another method of a path, at a path in one of Glance's minor versions, and at what an HTTP API of API Gateway has
//! no routes for: paths that end in a slash, and tags that hold one, since it decodes a path before it looks for its route.

use std::collections::HashMap;

use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

/// The route of every path that has none of its own.
pub(crate) const DEFAULT_ROUTE: &str = "$default";

/// The methods of each path of `infra/openapi.yaml`, from which `build.rs` lists them. Where there is `GET`, there is `HEAD`.
/// An exact segment stands before a parameter in its place.
const PATH_METHODS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/methods.rs"));

/// The newest minor version of Glance that means `/v2`: the one that is announced as current.
const MAX_MINOR_VERSION: u8 = 17;

/// The methods of the path of the gateway's route `ANY <path>`; none for any other route.
pub(crate) fn allowed_methods(route: &str) -> String {
    let path = route.strip_prefix("ANY ").unwrap_or_default();
    let methods = PATH_METHODS.iter().find(|(known, _)| *known == path).map_or("", |(_, methods)| methods);
    methods.replace("GET", "GET, HEAD")
}

/// A request for which the gateway has found no route, with the route and parameters of its path, if it is a path of the API;
/// any other request as it is.
pub(crate) fn route_by_path(request: Request) -> Request {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else { return request };
    if context.route_key.as_deref() != Some(DEFAULT_ROUTE) {
        return request;
    }
    let path = request.raw_http_path();
    // The local gateway leaves it so where an encoded slash is no slash.
    if path.contains("%2F") {
        return request;
    }
    let path = strip_minor_version(path).unwrap_or_else(|| path.to_owned());
    let Some((route, parameters)) = find_route(request.method().as_str(), &path) else { return request };
    let mut context = context.clone();
    context.route_key = Some(route);
    request.with_request_context(RequestContext::ApiGatewayV2(context)).with_path_parameters(parameters)
}

/// The path in `/v2`, of one in a minor version.
fn strip_minor_version(path: &str) -> Option<String> {
    let rest = path.strip_prefix("/v2.")?;
    let (number, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let is_minor = (0..=MAX_MINOR_VERSION).any(|minor| minor.to_string() == number);
    is_minor.then(|| format!("/v2{rest}"))
}

/// The route of a method and a path, as the gateway's route keys have it, and the path's parameters.
fn find_route(method: &str, path: &str) -> Option<(String, HashMap<String, String>)> {
    PATH_METHODS.iter().find_map(|(template, methods)| {
        let parameters = match_template(template, path)?;
        let meant = if method == "HEAD" { "GET" } else { method };
        let method = if methods.split(", ").any(|known| known == meant) { method } else { "ANY" };
        Some((format!("{method} {template}"), parameters))
    })
}

/// The parameters of a path that fits a template. The last one may be a tag with slashes in it, as long as nothing between
/// them is empty or consists of dots: such a path looks like another one.
fn match_template(template: &str, path: &str) -> Option<HashMap<String, String>> {
    let names: Vec<_> = template.split('/').collect();
    let steps: Vec<_> = if template.ends_with("/{tag}") {
        path.splitn(names.len(), '/').collect()
    } else {
        path.split('/').collect()
    };
    if names.len() != steps.len() {
        return None;
    }
    let mut parameters = HashMap::new();
    for (name, step) in names.into_iter().zip(steps) {
        match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if is_parameter(step) => {
                parameters.insert(name.to_owned(), step.to_owned());
            }
            None if name == step => {}
            _ => return None,
        }
    }
    Some(parameters)
}

/// Whether a step of a path, or several for a tag with slashes in it, can be a parameter.
fn is_parameter(step: &str) -> bool {
    if step.contains('/') {
        step.split('/').all(|part| !matches!(part, "" | "." | ".."))
    } else {
        !step.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_route_lists_allowed_methods() {
        assert_eq!(allowed_methods("ANY /v2/images/{image_id}"), "DELETE, GET, HEAD, PATCH");
        for unknown in ["$default", "", "ANY /v2/flavors", "PUT /v2/images"] {
            assert_eq!(allowed_methods(unknown), "");
        }
    }

    #[test]
    fn only_minor_versions_are_normalized() {
        for (path, expected) in [("/v2.0", "/v2"), ("/v2.9/", "/v2/"), ("/v2.17/images/a", "/v2/images/a")] {
            assert_eq!(strip_minor_version(path).as_deref(), Some(expected));
        }
        for other in [
            "/v2",
            "/v2/images",
            "/v2.",
            "/v2./images",
            "/v2.18/images",
            "/v2.07",
            "/v2.+7",
            "/v3.0",
            "/v2.7x",
        ] {
            assert_eq!(strip_minor_version(other), None, "{other}");
        }
    }

    #[test]
    fn path_matches_the_route_of_the_gateway() {
        let found = |method, path| {
            let (route, parameters) = find_route(method, path)?;
            let mut parameters: Vec<_> = parameters.into_iter().collect();
            parameters.sort();
            Some((route, parameters))
        };
        let image = ("image_id".to_owned(), "i-1".to_owned());
        let member = ("member_id".to_owned(), "a b".to_owned());
        assert_eq!(
            found("PUT", "/v2/images/i-1/members/a b"),
            Some(("PUT /v2/images/{image_id}/members/{member_id}".to_owned(), vec![image.clone(), member]))
        );
        assert_eq!(
            found("PUT", "/v2/images/i-1"),
            Some(("ANY /v2/images/{image_id}".to_owned(), vec![image]))
        );
        assert_eq!(found("GET", "/v2/"), Some(("GET /v2/".to_owned(), vec![])));
        assert_eq!(found("HEAD", "/v2/"), Some(("HEAD /v2/".to_owned(), vec![])));
        let tag = ("tag".to_owned(), "a/b".to_owned());
        assert_eq!(
            found("PUT", "/v2/images/i-1/tags/a/b"),
            Some((
                "PUT /v2/images/{image_id}/tags/{tag}".to_owned(),
                vec![("image_id".to_owned(), "i-1".to_owned()), tag]
            ))
        );
        for tag in ["a/", "/a", "a//b", "a/..", "./a"] {
            let path = format!("/v2/images/i-1/tags/{tag}");
            assert!(find_route("PUT", &path).is_none(), "{tag}");
        }
        for unknown in ["/v2/images/", "/v2/images//members", "/v2/images/a/b/c", "//v2", ""] {
            assert_eq!(found("GET", unknown), None, "{unknown}");
        }
    }
}
