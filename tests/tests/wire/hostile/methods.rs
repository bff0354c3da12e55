//! Methods and paths that do not exist.

use imageshare_tests::api::{ApiRequest, ApiResponse};

use super::world::{Failures, World};

#[tokio::test]
async fn unsupported_method_gets_405_and_unknown_path_404() {
    let world = World::start().await;
    for (path, methods) in world.api.document.methods_by_path() {
        let target = world.valid_path(&path);
        for method in
            ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "G'T"]
        {
            if methods.iter().any(|known| known == method) {
                continue;
            }
            let response = world.send(&ApiRequest::new(method, &target)).await;
            let allow = response.headers.get("allow").map(String::as_str);
            response.expect_status(405);
            assert_eq!(allow, Some(methods.join(", ").as_str()), "{method} {target}");
        }
    }
    for path in [
        "//",
        "/v1",
        "/v2//",
        "/v2.7//",
        "/v2.18/images",
        "/v2.99/images",
        "/v2.07/images",
        "/v2./images",
        "/v2.7/images/",
        "/versions/",
        "/v2/schemas",
        "/v2/images/",
        "/v2/images/a/b/c",
        "/V2/images",
        "/v2/cloudimages/",
        "/v1//jobs/a",
        "/v1/cloudimages",
        "/v1/cloudimages/job/",
        "/v1/cloudimages/quota/x",
        "/health/",
        "/..",
        "/v2/../health",
        "/%2e%2e",
        "/%00",
        "/%FF",
        "/v2%2Fimages",
        "/favicon.ico",
        "/.env",
        "/$default",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let response = world.send(&ApiRequest::new(method, path)).await;
            response.expect_error(404, "IMG.0086");
            assert!(!response.headers.contains_key("allow"));
            world.api.send(&ApiRequest::new(method, path)).await.expect_error(404, response.code());
        }
    }
    Failures::default().assert_none();
}

#[tokio::test]
async fn head_matches_get_without_the_body() {
    let world = World::start().await;
    let operations = world.operations().into_iter().filter(|operation| operation.method == "GET");
    for operation in operations {
        let target = world.valid_path(&operation.path);
        for token in [&world.token, "none"] {
            let get = world.api.send(&ApiRequest::new("GET", &target).token(token)).await;
            let head = world.api.send(&ApiRequest::new("HEAD", &target).token(token)).await;
            let seen = |response: &ApiResponse| {
                let header = |name: &str| response.headers.get(name).cloned();
                (response.status, header("content-type"), header("content-length"))
            };
            assert_eq!(seen(&head), seen(&get), "{target} {token}");
            assert!(head.body.is_null());
        }
    }
    Failures::default().assert_none();
}
