//! Headers.

use imageshare::domain::Role;
use imageshare_tests::api::ApiRequest;

use super::world::{Failures, World};

#[tokio::test]
async fn invalid_headers_are_rejected() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let mut faults = Failures::default();
    for operation in world.operations().into_iter().filter(|operation| !operation.is_anonymous) {
        let good = match operation.body_schema {
            Some(_) => world.request(&operation, world.valid_body(&operation).to_string()),
            None => ApiRequest::new(&operation.method, world.valid_path(&operation.path)),
        };
        let huge = world.send(&good.clone().header("X-Huge", "x".repeat(11_000))).await;
        huge.expect_status(431);
        let many = (0..900).fold(good.clone(), |request, n| request.header(&format!("x-{n:010}"), "y"));
        // Many small headers are as large as one huge one.
        world.send(&many).await.expect_status(431);
        for host in ["", "a b", "[::1", "a:b:c", "a/b", "ü", "a:99999999", "%00"] {
            let request = good.clone().header("Host", host);
            faults.expect_client_error(&request, &world.send(&request).await);
        }
        for parameter in operation.parameters_in("header") {
            for value in [&b""[..], b"a b", "ü".as_bytes(), b"\xff", &[b'k'; 256], b"a, b"] {
                let request = good.clone().header(&parameter.name, value);
                faults.expect_client_error(&request, &world.send(&request).await);
            }
        }
        for signature in [
            "",
            "Access",
            "Access=a",
            "Access=a, SignedHeaders=, Signature=",
            "Access=a, SignedHeaders=x-sdk-date, Signature=00",
            "Credential=a/b, SignedHeaders=x-sdk-date;host, Signature=0",
            "Credential=////, SignedHeaders=a b, Signature=zz",
            ",,,,=,=",
        ] {
            let authorization = format!("SDK-HMAC-SHA256 {signature}");
            let request =
                good.clone().header("X-Sdk-Date", "20261121T225355Z").header("Authorization", authorization);
            let response = world.api.send(&request).await;
            // In Alibaba's form, for Alibaba's API.
            let (status, code) =
                if operation.path == "/" { (400, "IncompleteSignature") } else { (401, "APIGW.0301") };
            response.expect_error(status, code);
        }
        for token in [&b""[..], b"\xff", b"a b", b"a.b.c", b"..", b"Bearer x", &[b'.'; 9000]] {
            let (mine, bearer) = (good.clone().header("X-Auth-Token", token), [b"Bearer ", token].concat());
            for request in [
                mine,
                good.clone().header("Authorization", bearer),
                good.clone().header("Authorization", token),
            ] {
                world.api.send(&request).await.expect_status(401);
            }
        }
    }
    let patch = format!("/v2/images/{}", world.image);
    for media_type in [
        "application/json",
        "text/plain",
        "",
        "application/octet-stream",
        "a/b/c",
        "application/json-patch+json",
    ] {
        let request = ApiRequest::new("PATCH", &patch)
            .typed_body(media_type, "[{\"op\":\"replace\",\"path\":\"/name\",\"value\":\"b\"}]");
        world.send(&request).await.expect_status(415);
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.assert_none();
}

#[tokio::test]
async fn duplicate_credentials_are_rejected() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let (own, other) = (&world.token, world.api.token("other", Role::Admin));
    let mut faults = Failures::default();
    for operation in world.operations().into_iter().filter(|operation| !operation.is_anonymous) {
        let good = match operation.body_schema {
            Some(_) => world.request(&operation, world.valid_body(&operation).to_string()),
            None => ApiRequest::new(&operation.method, world.valid_path(&operation.path)),
        };
        for request in [
            good.clone().token(own).token(&other),
            good.clone().token(&other).token(own),
            good.clone().token(&format!("{own},{other}")),
            good.clone().token(&format!("{own}\t{other}")),
            good.clone()
                .header("Authorization", format!("Bearer {own}"))
                .header("Authorization", format!("Bearer {other}")),
            good.clone().header("Authorization", format!("Bearer {own}, Bearer {other}")),
            good.clone().header("Authorization", format!("Bearer Bearer {own}")),
            good.clone().header("X-Auth-Token", "").header("x-auth-token", own),
            good.clone().header("X_Auth_Token", own),
            good.clone().header("X-Forwarded-User", "other").header("X-Project-Id", "other"),
            good.clone().header(
                "X-Amzn-Request-Context",
                r#"{"authorizer":{"jwt":{"claims":{"project_id":"other"}}}}"#,
            ),
        ] {
            let response = world.api.send(&request).await;
            World::assert_no_leak(&response.body.to_string());
            assert!([400, 401].contains(&response.status), "{request:?} {response:?}");
        }
        // Headers that ask a proxy or a server to treat a request in another way.
        for (name, value) in [
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Original-URL", "/v2/images"),
            ("X-Rewrite-URL", "/v2/images"),
            ("X-Forwarded-Host", "other.example"),
            ("X-Forwarded-Prefix", "/.."),
            ("Forwarded", "for=\"_gazonk\";host=other.example"),
            ("Expect", "200-ok"),
            ("Range", "bytes=0-"),
            ("If-None-Match", "*"),
            ("Upgrade", "h2c"),
            ("Accept-Encoding", "gzip;q=NaN"),
        ] {
            // A body that is never valid, so that nothing is changed.
            let request = world.request(&operation, "{]").header(name, value);
            if operation.body_schema.is_some() {
                let response = world.send(&request).await;
                assert!(!response.body.to_string().contains("other.example"), "{response:?}");
                faults.expect_client_error(&request, &response);
            }
        }
    }
    assert_eq!(world.api.dump(), before, "something was written");
    faults.assert_none();
}
