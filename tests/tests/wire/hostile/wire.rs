//! Bytes on the wire: requests whose end two parsers may see in different places, targets in other forms, and bytes
//! that are not HTTP. Each is followed by a request that would delete the image if it were smuggled through.

use std::time::Duration;

use imageshare_tests::api::ApiRequest;
use imageshare_tests::api_document::Operation;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::world::{Failures, World};

/// Headers that make it ambiguous where a request ends, or whose it is. All are sent with a chunked body of 5 bytes.
const AMBIGUOUS_HEADERS: [&str; 24] = [
    "Content-Length: 15\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 15",
    "Content-Length: 0\r\nTransfer-Encoding: chunked",
    "Content-Length: 15\r\nContent-Length: 0",
    "Content-Length: 0\r\nContent-Length: 15",
    "Content-Length: 15, 0",
    "Content-Length: +15",
    "Content-Length: -1",
    "Content-Length: 0x0f",
    "Content-Length: 1 5",
    "Content-Length: 18446744073709551616",
    "Content-Length: ",
    "Content-Length : 15",
    "Content-Length: 15\r\nTransfer-Encoding : chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity\r\nContent-Length: 0",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding: \r\n chunked",
    "X: y\r\n Transfer-Encoding: chunked",
    "X: y\r\n\tContent-Length: 15",
    "X: y\rContent-Length: 15",
    "X\0: y",
    "X : y",
];

/// Chunked bodies that do not end where they say.
const INVALID_CHUNKS: [&str; 7] = [
    "FFFFFFFFFFFFFFFFF\r\n",
    "-1\r\n",
    "0x5\r\naaaaa\r\n0\r\n\r\n",
    "5\r\naaaaaaa\r\n0\r\n\r\n",
    "5;a=\"\r\n\"\r\naaaaa\r\n0\r\n\r\n",
    "\r\n",
    "0\r\nX-Auth-Token: a\r\nContent-Length: 9\r\n\r\n",
];

/// How long the server may be silent while it keeps a connection open.
const READ_TIMEOUT: Duration = Duration::from_millis(100);

/// Everything that the server sends until it closes the connection or waits for more.
async fn exchange(world: &World, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(world.api.address()).await.unwrap();
    // It may close the connection before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut received = Vec::new();
    while let Ok(Ok(1..)) = timeout(READ_TIMEOUT, stream.read_buf(&mut received)).await {}
    String::from_utf8_lossy(&received).into_owned()
}

fn statuses(received: &str) -> Vec<u16> {
    let lines = received.split("HTTP/1.").skip(1);
    lines.filter_map(|line| line.get(2..5)?.parse().ok()).collect()
}

impl World {
    /// The request that a smuggler appends to another.
    fn smuggled_request(&self, victim: &str) -> String {
        format!(
            "DELETE /v2/images/{victim} HTTP/1.1\r\nHost: images.example\r\nX-Auth-Token: {}\r\nConnection: close\r\n\r\n",
            self.token
        )
    }

    fn request_head(&self, operation: &Operation) -> String {
        let (method, path) = (&operation.method, self.valid_path(&operation.path));
        format!("{method} {path} HTTP/1.1\r\nHost: images.example\r\nX-Auth-Token: {}\r\n", self.token)
    }
}

#[tokio::test]
async fn ambiguous_request_end_smuggles_nothing() {
    let world = World::start().await;
    let victim = world.send(&ApiRequest::new("POST", "/v2/images").json(&json!({"name": "victim"}))).await;
    let victim = victim.body["id"].as_str().unwrap();
    let smuggled = world.smuggled_request(victim);
    for operation in world.operations() {
        let line = world.request_head(&operation);
        let in_headers = AMBIGUOUS_HEADERS
            .map(|headers| format!("{line}{headers}\r\n\r\n5\r\naaaaa\r\n0\r\n\r\n{smuggled}"));
        let in_chunks = INVALID_CHUNKS
            .map(|chunks| format!("{line}Transfer-Encoding: chunked\r\n\r\n{chunks}{smuggled}"));
        for attack in in_headers.iter().chain(&in_chunks) {
            let received = exchange(&world, attack.as_bytes()).await;
            let statuses = statuses(&received);
            assert!(
                statuses.len() <= 1 && statuses.iter().all(|status| *status < 500),
                "{attack}\n{received}"
            );
            World::assert_no_leak(&received);
        }
    }
    // A request that was only unusual may have deleted the image of its own path.
    world.send(&ApiRequest::new("GET", format!("/v2/images/{victim}"))).await.expect_status(200);
    Failures::default().assert_none();
}

#[tokio::test]
async fn malformed_http_is_rejected_and_the_server_continues() {
    let world = World::start().await;
    let before = world.api.dump_when_idle().await;
    let smuggled = world.smuggled_request(&world.image);
    for begin in [
        "\0\0\0\0",
        "GET /v2/images\r\n\r\n",
        "GET /v2/images HTTP/0.9\r\n\r\n",
        "GET /v2/images HTTP/1.2\r\n\r\n",
        "GET /v2/images HTTP/2.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET  /v2/images HTTP/1.1\r\n\r\n",
        "GET /v2/ images HTTP/1.1\r\n\r\n",
        "GET\t/v2/images\tHTTP/1.1\r\n\r\n",
        "GET v2/images HTTP/1.1\r\n\r\n",
        "GET /\u{fc} HTTP/1.1\r\nHost: \r\n",
        "G\u{fc}T / HTTP/1.1\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}",
        ": / HTTP/1.1\r\n\r\n",
        "GET /v2/images HTTP/1.1\r\n: y\r\n\r\n",
        "GET /v2/images HTTP/1.1\r\n\r\r\n",
    ] {
        let received = exchange(&world, format!("{begin}{smuggled}").as_bytes()).await;
        assert!(statuses(&received).iter().all(|status| (400..500).contains(status)), "{begin:?} {received}");
        let responses = statuses(&received).len();
        assert_eq!(received.matches("{\"error\":{\"code\":\"").count(), responses, "{begin:?} {received}");
    }
    let endless = format!("GET /{} HTTP/1.1\r\n", "a".repeat(1_000_000));
    assert!(
        statuses(&exchange(&world, endless.as_bytes()).await)
            .iter()
            .all(|status| (400..500).contains(status))
    );
    assert_eq!(world.api.dump(), before, "something was written");
    world.send(&ApiRequest::new("GET", "/health")).await.expect_status(200);
    Failures::default().assert_none();
}

#[tokio::test]
async fn query_with_characters_outside_uris_gets_the_error_body() {
    let world = World::start().await;
    for query in
        ["name=\u{fc}", "name=<\"a\">", "name={a}|\\^`", "name=a\u{7f}", "name=a\0", "name=a\tb", "name=a b"]
    {
        let head = format!("GET /v2/images?{query} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let mut stream = TcpStream::connect(world.api.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let is_client_error = matches!(statuses(&response).as_slice(), [400..500]);
        assert!(is_client_error && response.contains("{\"error\":{\"code\":\""), "{query:?}: {response}");
    }
    Failures::default().assert_none();
}

#[tokio::test]
async fn target_forms_do_not_bypass_the_path() {
    let world = World::start().await;
    for operation in world.operations() {
        let path = world.valid_path(&operation.path);
        for (target, expected) in [
            (format!("http://images.example{path}"), None),
            (format!("http://other.example:1{path}"), None),
            (format!("HTTP://user:word@images.example{path}"), None),
            (format!("ftp://images.example{path}"), None),
            (format!("{path}#fragment"), None),
            (format!("http:{path}"), Some(400..500)),
            (format!("\\{path}"), Some(400..500)),
            (path.trim_start_matches('/').to_owned(), Some(400..500)),
            ("*".to_owned(), Some(400..500)),
            ("images.example:80".to_owned(), Some(400..500)),
            ("?a=b".to_owned(), Some(400..500)),
        ] {
            let request = format!(
                "{} {target} HTTP/1.1\r\nHost: images.example\r\nX-Auth-Token: {}\r\nConnection: close\r\n\r\n",
                operation.method, world.token
            );
            let received = exchange(&world, request.as_bytes()).await;
            let statuses = statuses(&received);
            let allowed = expected.unwrap_or(200..500);
            assert!(
                statuses.len() <= 1 && statuses.iter().all(|status| allowed.contains(status)),
                "{request}{received}"
            );
            World::assert_no_leak(&received);
        }
    }
    for form in ["CONNECT images.example:80", "OPTIONS *", "GET *"] {
        for host in ["images.example", "images.example:80"] {
            let request = format!("{form} HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let received = exchange(&world, request.as_bytes()).await;
            assert_eq!(statuses(&received), [400], "{request}{received}");
            assert!(received.contains("target is not a path"), "{request}{received}");
        }
    }
    Failures::default().assert_none();
}
