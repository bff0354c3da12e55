//! Memory and connections of the real server under any attack by clients without a token.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::server_process::ServerProcess;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// The memory limit of one request of 5 MB.
const MAX_MEMORY: u64 = 100_000_000;

/// The most memory that many clients without a token can make the server use, beyond what it has at its start: that depends on the
/// build, whose own pages count.
const MAX_GROWTH: u64 = 75_000_000;

/// The number of concurrent attackers: more than the server serves, and few enough for the file descriptors of this
/// process.
const CLIENTS: usize = 600;

/// The request of each attack, sent in whole or in part by clients that then wait.
fn attacks() -> Vec<(&'static str, Vec<u8>)> {
    let objects = |count| format!("[{}]", vec!["{\"a\":0}"; count].join(","));
    let post = |path: &str, headers: &str, length: usize, body: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n{headers}");
        format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes()
    };
    let whole = |path: &str, headers: &str, body: &str| post(path, headers, body.len(), body);
    let guessed = "X-Auth-Token: a.b.c\r\n";
    let endless = "x".repeat(127 * 1024);
    let half_head = |size: usize| format!("GET / HTTP/1.1\r\nHost: h\r\nX-Long: {}", "x".repeat(size));
    let pipelined = "GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(2_000);
    let many_headers = (0..900).fold("GET / HTTP/1.1\r\n".to_owned(), |mut head, n| {
        let _ = write!(head, "a{n}: b\r\n");
        head
    });
    vec![
        ("nothing at all", Vec::new()),
        ("a login of 16 KB of small objects", whole("/v3/auth/tokens", "", &objects(2_000))),
        (
            "a login in a long unknown member",
            whole("/v3/auth/tokens", "", &format!("{{\"x\":{}}}", objects(1_990))),
        ),
        ("a share of 128 KB of small objects", whole("/v1/cloudimages/members", guessed, &objects(16_000))),
        ("a share that does not end", post("/v1/cloudimages/members", guessed, 128 * 1024, &endless)),
        ("a form of many parameters", whole("/", "", &"=&".repeat(8_000))),
        ("a body that is larger than it may be", post("/v2/images", "", 6_000_000, &endless)),
        ("a head that does not end", half_head(9_000).into_bytes()),
        ("a head that is too long", half_head(60_000).into_bytes()),
        ("many headers", many_headers.into_bytes()),
        ("many requests whose responses are not read", pipelined.into_bytes()),
    ]
}

async fn run_attack(server: &ServerProcess, request: &Arc<[u8]>) {
    let clients = (0..CLIENTS).map(|_| {
        let (address, request) = (server.address.clone(), Arc::clone(request));
        tokio::spawn(async move {
            let mut client = TcpStream::connect(address).await.ok()?;
            // The server may close the connection before it has read everything, or stop reading.
            let _ = timeout(Duration::from_millis(500), client.write_all(&request)).await;
            Some(client)
        })
    });
    let mut connected = Vec::with_capacity(CLIENTS);
    for client in clients.collect::<Vec<_>>() {
        connected.push(client.await.unwrap());
    }
    sleep(Duration::from_millis(500)).await;
}

async fn is_healthy(address: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let request = "GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let mut response = Vec::new();
    let _ = stream.write_all(request.as_bytes()).await;
    let _ = timeout(Duration::from_secs(30), stream.read_to_end(&mut response)).await;
    response.starts_with(b"HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded_without_a_valid_token() {
    let server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
    let start = server.peak_resident_bytes();
    println!("at the start: {} KB", start / 1000);
    for (what, request) in attacks() {
        run_attack(&server, &request.into()).await;
        let peak = server.peak_resident_bytes();
        println!("{what}: at most {} KB", peak / 1000);
        assert!(peak - start < MAX_GROWTH, "{what}: {peak} bytes, {start} at the start");
        assert!(is_healthy(&server.address).await, "after {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_large_logins_are_rejected_unread() {
    let server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
    let body = format!("[{}]", vec!["{\"a\":0}"; 640_000].join(","));
    let head = "POST /v3/auth/tokens HTTP/1.1\r\nHost: h\r\nConnection: close\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let clients = (0..8).map(|_| {
        let (address, request) = (server.address.clone(), request.clone());
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut response = Vec::new();
            stream.read_to_end(&mut response).await.unwrap();
            String::from_utf8_lossy(&response).into_owned()
        })
    });
    for client in clients.collect::<Vec<_>>() {
        let response = client.await.unwrap();
        assert!(response.starts_with("HTTP/1.1 413") && response.contains("16384 bytes"), "{response}");
    }
    assert!(server.peak_resident_bytes() < MAX_MEMORY, "{}", server.peak_resident_bytes());
}

/// A function is behind a gateway that has one limit for all routes, 10 MB, and gets events of up to 6 MB.
#[tokio::test]
async fn function_memory_is_bounded_for_the_largest_login() {
    let mut function = Deployment::start().await.start_function("identity").await;
    println!("at the start: {} KB", function.peak_resident_bytes() / 1000);
    // 4.5 MB, which is nearly 6 MB as text in an event, or in base64.
    let body = format!("[{}]", vec!["{\"\":0}"; 640_000].join(","));
    let login = HttpEvent::new("POST /v3/auth/tokens", "/v3/auth/tokens");
    let login = login.header("content-type", "application/json");
    for (form, event) in [("text", login.clone().text(&body)), ("base64", login.bytes(body.as_bytes()))] {
        let response = function.invoke(&event.build()).await.unwrap();
        assert_eq!(response["statusCode"], 413, "{form}: {response}");
        let peak = function.peak_resident_bytes();
        println!("a login of 4.5 MB of small objects, as {form}: at most {} KB", peak / 1000);
        assert!(peak < MAX_MEMORY, "{form}: {peak} bytes");
    }
}

/// A program that runs the server after a shell's command.
pub fn server_with_shell_setup(directory: &TempDir, command: &str) -> PathBuf {
    let path = directory.path().join("imageshare");
    let script = format!("#!/bin/sh\n{command}\nexec {} \"$@\"\n", binary("imageshare").display());
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_exhaust_few_descriptors() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        ServerProcess::start(&server_with_shell_setup(&directory, "ulimit -n 64"), &["--memory"]).await;
    let mut idle = Vec::new();
    for _ in 0..200 {
        idle.push(TcpStream::connect(&server.address).await.unwrap());
    }
    for _ in 0..5 {
        assert!(is_healthy(&server.address).await, "{}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptor_limit_is_raised_at_startup() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        ServerProcess::start(&server_with_shell_setup(&directory, "ulimit -S -n 64"), &["--memory"]).await;
    assert!(server.descriptor_limit() > 64);
}
