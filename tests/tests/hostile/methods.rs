//! Methods and paths that there are not.

use imageshare_tests::api::Ask;

use super::world::{Faults, World};

#[tokio::test]
async fn another_method_is_told_the_methods_and_another_path_that_there_is_none() {
    let world = World::start().await;
    for (path, mut methods) in world.api.document.methods() {
        if path == "/v3/auth/tokens" {
            methods.push("HEAD".to_owned());
            methods.sort();
        }
        let target = world.good_path(&path);
        for method in
            ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "G'T"]
        {
            if methods.iter().any(|known| known == method) {
                continue;
            }
            let answer = world.send(&Ask::new(method, &target)).await;
            let allow = answer.headers.get("allow").map(String::as_str);
            assert_eq!((answer.status, allow), (405, Some(methods.join(", ").as_str())), "{method} {target}");
        }
    }
    for path in [
        "//",
        "/v1",
        "/v2//",
        "/v2.7//",
        "/v2.16/images",
        "/v2.17/images",
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
            let answer = world.send(&Ask::new(method, path)).await;
            assert_eq!((answer.status, answer.code()), (404, "IMG.0086"), "{method} {path} {answer:?}");
            assert!(!answer.headers.contains_key("allow"));
        }
    }
    Faults::default().none();
}
