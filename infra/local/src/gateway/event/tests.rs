//! The event that a function gets from a request.

use serde_json::{Value, json};

use super::*;

fn event(request: http::Request<&[u8]>) -> Value {
    let (head, body) = request.into_parts();
    let path = decode_path(head.uri.path());
    let text = to_json(&EventInput { path: &path, ..event_input(&head, body) }).unwrap();
    assert!(lambda_http::request::from_str(&text).is_ok(), "the function's own parser accepts it");
    serde_json::from_str(&text).unwrap()
}

fn event_input<'a>(head: &'a Parts, body: &'a [u8]) -> EventInput<'a> {
    EventInput {
        head,
        body,
        route_key: "GET /a/{b}",
        path: head.uri.path(),
        path_parameters: &[("b", "c%20d")],
        request_id: "r1",
        client: ([10, 0, 0, 1], 5000).into(),
        domain: "fallback",
        now: time::macros::datetime!(2026-11-22 01:02:03.456 UTC),
    }
}

#[test]
fn event_matches_payload_format_2_0() {
    let request = http::Request::get("/a/c%20d?x=1&y=a%20b&x=2")
        .header("Host", "images.example.com:8080")
        .header("User-Agent", "curl/8")
        .header("X-Many", "one")
        .header("X-Many", "two")
        .header("Cookie", "k=v; l=w")
        .header("X-Forwarded-For", "192.0.2.7")
        .header("X-Forwarded-Proto", "gopher")
        .body(&b""[..]);
    let expected = json!({
        "version": "2.0",
        "routeKey": "GET /a/{b}",
        "rawPath": "/a/c d",
        "rawQueryString": "x=1&y=a%20b&x=2",
        "cookies": ["k=v", "l=w"],
        "headers": {
            "host": "images.example.com:8080",
            "user-agent": "curl/8",
            "x-many": "one,two",
            "x-forwarded-for": "192.0.2.7, 10.0.0.1",
            "x-forwarded-port": "5000",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": { "x": "1,2", "y": "a b" },
        "pathParameters": { "b": "c d" },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": "images.example.com",
            "domainPrefix": "images",
            "http": {
                "method": "GET",
                "path": "/a/c d",
                "protocol": "HTTP/1.1",
                "sourceIp": "10.0.0.1",
                "userAgent": "curl/8",
            },
            "requestId": "r1",
            "routeKey": "GET /a/{b}",
            "stage": "$default",
            "time": "22/Nov/2026:01:02:03 +0000",
            "timeEpoch": 1_795_309_323_456_i64,
        },
        "isBase64Encoded": false,
    });
    assert_eq!(event(request.unwrap()), expected);
}

#[test]
fn only_declared_valid_text_is_passed_as_text() {
    let cases: [(Option<&str>, &[u8], bool); 8] = [
        (Some("application/json"), b"{}", false),
        (Some("Application/JSON; charset=utf-8"), b"{}", false),
        (Some("application/openstack-images-v2.1-json-patch+json"), b"[]", false),
        (Some("text/plain"), b"a", false),
        (Some("application/json"), b"\xff", true),
        (Some("application/x-www-form-urlencoded"), b"a=b", true),
        (Some("application/octet-stream"), b"a", true),
        (None, b"{}", true),
    ];
    for (content_type, body, is_base64) in cases {
        let mut request = http::Request::post("/a/b").body(body).unwrap();
        if let Some(content_type) = content_type {
            request.headers_mut().insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        let event = event(request);
        let text = if is_base64 { STANDARD.encode(body) } else { String::from_utf8(body.to_vec()).unwrap() };
        assert_eq!(
            (&event["isBase64Encoded"], &event["body"]),
            (&json!(is_base64), &json!(text)),
            "{content_type:?}"
        );
    }
}

#[test]
fn unusual_paths_reach_the_function() {
    for path in
        ["/", "//", "/%00", "/%ff", "/a%3Fb%23c", "/%2e%2e/x", "/a|b^c", "/%C3%BC", "/[::1]", "/%0d%0aX:y"]
    {
        let event = event(http::Request::get(path).header("Host", "h").body(&b""[..]).unwrap());
        assert_eq!(event["rawPath"], *decode_percent(path), "{path}");
    }
}

#[test]
fn invalid_host_header_is_rejected() {
    for bad in ["", "a b", "[", "1.2.3.4.5", "a:99999", "a:b", "user@a", "a/b", "a%", "999.1.1.1", "ü"] {
        let value = HeaderValue::from_bytes(bad.as_bytes()).unwrap();
        let (head, ()) = http::Request::get("/").header(HOST, value).body(()).unwrap().into_parts();
        assert_eq!(to_json(&event_input(&head, b"")), Err(MalformedRequest::Host), "{bad}");
    }
    for good in ["localhost", "127.0.0.1:8080", "[::1]:8080", "a.example:80", "a_b"] {
        event(http::Request::get("/").header(HOST, good).body(&b""[..]).unwrap());
    }
}

#[test]
fn duplicate_host_header_is_rejected() {
    for (one, other) in [("h", "h"), ("a.example", "b.example"), ("a", "b c")] {
        let request = http::Request::get("/").header(HOST, one).header(HOST, other).body(()).unwrap();
        assert_eq!(
            to_json(&event_input(&request.into_parts().0, b"")),
            Err(MalformedRequest::Host),
            "{one} {other}"
        );
    }
}

#[test]
fn path_is_decoded_with_or_without_its_slashes() {
    let path = "/a%2Fb%20c/d%2fe%252F";
    assert_eq!(decode_path(path), "/a/b c/d/e%2F");
    assert_eq!(decode_segments(path), "/a%2Fb c/d%2Fe%2F");
}
