//! The versions of the Glance API, for clients that discover them first (`contract/glance.md` 2.8). Needs no
//! authentication.
//!
//! `GET /` is 300, as in Glance, since it is a choice of versions. `/v2` and `/v2/` are for clients whose endpoint ends
//! so.

use http::StatusCode;
use lambda_http::Request;
use serde_json::{Value, json};

use super::Error;
use crate::Settings;
use crate::http::{HttpResponse, UnexpectedBody, base_url, json_response};

/// The routes with their statuses.
const ROUTES: [(&str, StatusCode); 4] = [
    ("GET /", StatusCode::MULTIPLE_CHOICES),
    ("GET /versions", StatusCode::OK),
    ("GET /v2", StatusCode::OK),
    ("GET /v2/", StatusCode::OK),
];

/// The newest version, and the older ones that it includes.
const CURRENT_VERSION: &str = "v2.17";
const SUPPORTED_VERSIONS: [&str; 9] =
    ["v2.9", "v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0"];

/// Returns the handler of a route for versions, `None` for any other route. It responds
/// `{"versions":[{"id","status","links":[{"rel":"self","href"}]}]}`, in which `href` is the address that clients see.
pub fn handler(route: &str) -> Option<impl FnOnce(&Settings, &Request) -> HttpResponse + use<>> {
    let (_, status) = ROUTES.iter().find(|(candidate, _)| *candidate == route)?;
    Some(move |settings: &Settings, request: &Request| {
        if request.body().is_empty() {
            json_response(*status, &versions_json(&base_url(settings, request)))
        } else {
            Error::from(UnexpectedBody).into_response()
        }
    })
}

fn versions_json(address: &str) -> Value {
    let links = json!([{ "rel": "self", "href": format!("{address}/v2/") }]);
    let version = |id: &str, status: &str| json!({ "id": id, "status": status, "links": links });
    let supported = SUPPORTED_VERSIONS.iter().map(|id| version(id, "SUPPORTED"));
    let versions: Vec<_> = std::iter::once(version(CURRENT_VERSION, "CURRENT")).chain(supported).collect();
    json!({ "versions": versions })
}

#[cfg(test)]
mod tests {
    use lambda_http::Body;

    use super::*;
    use crate::domain::Limits;

    fn href(public_url: Option<&str>, url: &str) -> Value {
        let settings = Settings {
            region: "local".to_owned(),
            directory_is_complete: false,
            public_url: public_url.map(str::to_owned),
            limits: Limits::default(),
            waiting_reads: None,
        };
        let request = http::Request::get(url).body(Body::Empty).unwrap();
        let response = handler("GET /").unwrap()(&settings, &request);
        assert_eq!(response.status(), 300);
        let Body::Text(text) = response.body() else { panic!("{response:?}") };
        let versions: Value = serde_json::from_str(text).unwrap();
        assert_eq!(versions["versions"].as_array().map(Vec::len), Some(10));
        assert_eq!(versions["versions"][0]["id"], "v2.17");
        versions["versions"][9]["links"][0]["href"].clone()
    }

    #[test]
    fn version_link_uses_the_public_address() {
        assert_eq!(href(None, "http://127.0.0.1:8080/"), "http://127.0.0.1:8080/v2/");
        assert_eq!(href(None, "https://api.example/"), "https://api.example/v2/");
        for public_url in ["https://images.example", "https://images.example/"] {
            assert_eq!(href(Some(public_url), "http://10.0.0.1/"), "https://images.example/v2/");
        }
    }

    #[test]
    fn only_version_routes_have_a_handler() {
        for route in ["$default", "GET /v2/images", "POST /", "ANY /"] {
            assert!(handler(route).is_none(), "{route}");
        }
    }
}
