//! Paths, and the ids in them.

use imageshare_tests::api::ApiRequest;
use imageshare_tests::api_document::Operation;

use super::world::{Failures, World};

#[tokio::test]
async fn invalid_id_in_a_path_is_rejected() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    let long = "x".repeat(65);
    let odd = [
        "%23",
        "a%23b",
        "a%2Fb",
        "%2F",
        "..",
        "%2e%2e",
        ".",
        "...",
        "%00",
        "a%00b",
        "%FF",
        "%ED%A0%80",
        "%C3%BC",
        "a%20b",
        "a+b",
        "%",
        "%zz",
        "a;b",
        "'",
        "%7Bimage_id%7D",
        "*",
        "%0d%0aX: y",
        "~",
        &long,
    ];
    for operation in world.operations() {
        for parameter in World::ids_in_path(&operation) {
            for id in odd {
                let path = world.path_with(&operation.path, (&parameter.name, &id.replace(' ', "%20")));
                let request = ApiRequest::new(&operation.method, path);
                let request = match operation.body_schema {
                    Some(_) => request.json(&world.valid_body(&operation)),
                    None => request,
                };
                faults.expect_client_error(&request, &world.send(&request).await);
            }
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.assert_none();
}

/// Variants of a path that are, or look like, another path: a prefix and a suffix.
const PATH_VARIANTS: [(&str, &str); 22] = [
    ("/", ""),
    ("/.", ""),
    ("/..", ""),
    ("/v2/..", ""),
    ("/%2e", ""),
    ("/%2e%2e", ""),
    ("/..%2f", ""),
    ("/%5c..", ""),
    ("/health/..", ""),
    ("/health;", ""),
    ("/%00", ""),
    ("", "/"),
    ("", "//"),
    ("", "/."),
    ("", "/.."),
    ("", "/%2e%2e"),
    ("", "%2f"),
    ("", "%2f.."),
    ("", "%00"),
    ("", "%252f"),
    ("", "%C0%AE"),
    ("", ";a=b"),
];

#[tokio::test]
async fn path_variants_do_not_reach_the_operation() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    // What is open to everyone and has no body, health and versions, may be reached in more ways.
    let is_found_one_way = |operation: &Operation| !operation.is_anonymous || operation.body_schema.is_some();
    for operation in world.operations().into_iter().filter(is_found_one_way) {
        let path = world.valid_path(&operation.path);
        let with_body = |target: String| {
            let request = ApiRequest::new(&operation.method, target);
            if operation.body_schema.is_some() {
                request.json(&world.valid_body(&operation))
            } else {
                request
            }
        };
        // A suffix of a tag makes another tag.
        let is_another = |(before, after): &(&str, &str)| {
            !operation.path.ends_with("{tag}") || !before.is_empty() || after.starts_with('/')
        };
        for (before, after) in PATH_VARIANTS.into_iter().filter(is_another) {
            let request = with_body(format!("{before}{path}{after}"));
            faults.expect_client_error(&request, &world.send(&request).await);
        }
        // A minor version has no route of its own, and its function gets the path decoded.
        let is_decoded = path.starts_with("/v2.7");
        for target in [path.to_uppercase(), path.replacen('/', "%2f", 2).replacen("%2f", "/", 1)] {
            if target != path && !is_decoded {
                let request = with_body(target);
                faults.expect_client_error(&request, &world.send(&request).await);
            }
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.assert_none();
}
