//! Which route a request takes, and pages.

use serde_json::json;

use super::*;

#[tokio::test]
async fn exact_segment_and_method_take_precedence() {
    let gateway = start_gateway().await;
    for (path, route) in [
        ("/things", "GET /things"),
        ("/things/special", "GET /things/special"),
        ("/things/other", "GET /things/{thing}"),
        ("/things/", "$default"),
        ("/things/a/b", "$default"),
        ("/", "$default"),
    ] {
        assert_eq!(gateway.get(path).await.json()["route"], route, "{path}");
    }
    let delete = "DELETE /things HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert_eq!(gateway.send(delete).await.json()["route"], "ANY /things");
    let delete = "DELETE /things/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert_eq!(gateway.send(delete).await.json()["route"], "$default");
}

#[tokio::test]
async fn greedy_parameter_takes_all_segments_to_the_end() {
    let gateway = start_gateway().await;
    for (path, page) in [
        ("/pages/a", "a"),
        ("/pages/a/b/c", "a/b/c"),
        ("/pages/a/", "a/"),
        ("/pages/a%20b/c%2Fd", "a b/c/d"),
        ("/pages//", "/"),
        ("/pages/..", ".."),
    ] {
        let input = gateway.get(path).await.json();
        assert_eq!((&input["route"], &input["page"]), (&json!("GET /pages/{page+}"), &json!(page)), "{path}");
    }
    for path in ["/pages/", "/page/a", "/pages%2Fa", "/pagesa"] {
        assert_eq!(gateway.get(path).await.json()["route"], "$default", "{path}");
    }
    let delete = "DELETE /pages/a/b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    assert_eq!(gateway.send(delete).await.json()["route"], "ANY /pages/{page+}");
}

#[tokio::test]
async fn encoded_slash_does_not_lead_to_a_route() {
    let gateway = start_gateway().await;
    for (path, seen) in [("/things%2Fa%20b", "/things%2Fa b"), ("/other%2Fa%20b", "/other/a b")] {
        let request = gateway.get(path).await.json();
        assert_eq!((&request["route"], &request["path"]), (&json!("$default"), &json!(seen)), "{path}");
    }
}

#[tokio::test]
async fn page_is_passed_on_with_each_of_its_cookies() {
    let gateway = start_gateway().await;
    let page = gateway.get("/pages").await;
    assert_eq!((page.status, &*page.body), (200, "<h1>Ü & x</h1>"));
    let headers = |name: &str| -> Vec<String> {
        page.head
            .lines()
            .filter_map(|line| line.strip_prefix(name))
            .map(|value| value.trim().to_owned())
            .collect()
    };
    assert_eq!(headers("set-cookie:"), ["a=1; path=/; httponly", "b=; max-age=0"]);
    assert_eq!(headers("content-type:"), ["text/html; charset=utf-8"]);
}

#[test]
fn every_openapi_route_has_a_function() {
    let functions = crate::functions::ENTRY_POINTS.iter();
    let handlers = functions.fold(Handlers::default(), |handlers, (name, _)| handlers.with(name, echo));
    let routes = Routes::parse(OPENAPI, &handlers).unwrap();
    for (method, path, key) in [
        (Method::POST, "/v1/cloudimages/members", "POST /v1/cloudimages/members"),
        (Method::HEAD, "/v1/cloudimages/members", "ANY /v1/cloudimages/members"),
        (Method::GET, "/v1/p/jobs/j", "GET /v1/{project_id}/jobs/{job_id}"),
        (Method::GET, "/v1/cloudimages/jobs/j", "GET /v1/{project_id}/jobs/{job_id}"),
        (Method::GET, "/v1/cloudimages/job/j", "GET /v1/cloudimages/job/{job_id}"),
        (
            Method::GET,
            "/v1/p/cloudimages/i/members/m",
            "GET /v1/{project_id}/cloudimages/{image_id}/members/{member_id}",
        ),
        (Method::PATCH, "/v2/images/i", "PATCH /v2/images/{image_id}"),
        (Method::PUT, "/v2/images", "ANY /v2/images"),
        (Method::HEAD, "/v2/images", "HEAD /v2/images"),
        (Method::HEAD, "/health", "HEAD /health"),
        (Method::PUT, "/v2/images/i/members/m", "PUT /v2/images/{image_id}/members/{member_id}"),
        (Method::GET, "/v2/schemas/images", "GET /v2/schemas/{schema_name}"),
        (Method::GET, "/v2", "GET /v2"),
        (Method::GET, "/v2/", "GET /v2/"),
        (Method::GET, "/", "GET /"),
        (Method::GET, "/openapi.yaml", "GET /openapi.yaml"),
        (Method::GET, "/v2/cloudimages/", "$default"),
        (Method::GET, "/console", "GET /console"),
        (Method::HEAD, "/console/images", "HEAD /console/{page+}"),
        (Method::POST, "/console/images/i/members", "POST /console/{page+}"),
        (Method::DELETE, "/console/images/i", "ANY /console/{page+}"),
    ] {
        assert_eq!(routes.find(&method, path).0.key, key, "{method} {path}");
    }
}

#[test]
fn openapi_document_with_invalid_routes_is_rejected() {
    let read = |text: &str| Routes::parse(text, &Handlers::default().with("echo", echo)).err().unwrap();
    assert!(matches!(read("paths: {}"), RoutesError::MissingDefault));
    assert!(matches!(read("paths: 3"), RoutesError::Unreadable(_)));
    let unknown = read("paths: { /a: { get: { x-imageshare-function: missing } } }");
    assert_eq!(unknown.to_string(), "the route GET /a names the function missing, which does not exist");
    let twice = "paths: { '/{a}': { get: { x-imageshare-function: echo } }, '/{b}': {} }";
    assert!(matches!(read(twice), RoutesError::InvalidPath { .. }));
}
