//! The gateway over real connections, with functions for the tests.

mod routes;

use std::sync::Mutex;

use http::Method;
use imageshare::http::{json_response, no_content};
use lambda_http::{Body as LambdaBody, RequestExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};

use super::*;

const TEST_ROUTES: &str = "
paths:
  /things:
    get: { x-imageshare-function: echo }
    post: { x-imageshare-function: echo, x-imageshare-body-limit: 6291456 }
    x-amazon-apigateway-any-method: { x-imageshare-function: echo }
  /things/{thing}:
    get: { x-imageshare-function: echo }
  /things/special:
    get: { x-imageshare-function: echo }
  /pages:
    get: { x-imageshare-function: page }
  /pages/{page+}:
    get: { x-imageshare-function: echo }
    x-amazon-apigateway-any-method: { x-imageshare-function: echo }
  /panic:
    get: { x-imageshare-function: panic }
  /gated:
    get: { x-imageshare-function: gated }
  /large/{size}:
    get: { x-imageshare-function: large }
  /health:
    get: { x-imageshare-function: echo }
  /ready:
    get: { x-imageshare-function: echo }
  /$default:
    x-amazon-apigateway-any-method: { x-imageshare-function: echo }
";

/// A running gateway.
struct TestGateway {
    address: SocketAddr,
    health: Arc<Mutex<Health>>,
    /// Has a permit for each call of `gated` that has begun.
    started: Arc<Semaphore>,
    /// Lets calls of `gated` end.
    gate: Arc<Semaphore>,
    stop: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
}

/// Responds with what the function got.
async fn echo(request: lambda_http::Request) -> HttpResponse {
    let lambda_http::request::RequestContext::ApiGatewayV2(context) = request.request_context() else {
        panic!("an HTTP API's event");
    };
    let (kind, length) = match request.body() {
        LambdaBody::Empty => ("empty", 0),
        LambdaBody::Text(text) => ("text", text.len()),
        LambdaBody::Binary(bytes) => ("binary", bytes.len()),
        _ => ("unknown", 0),
    };
    let parameters = request.path_parameters();
    let input = json!({
        "route": context.route_key,
        "thing": parameters.first("thing"),
        "page": parameters.first("page"),
        "path": request.raw_http_path(),
        "many": request.headers().get("x-many").and_then(|value| value.to_str().ok()),
        "body": kind,
        "length": length,
    });
    json_response(StatusCode::OK, &input)
}

async fn large_response(request: lambda_http::Request) -> HttpResponse {
    let size = request.path_parameters().first("size").unwrap().parse().unwrap();
    Response::new(LambdaBody::Text("x".repeat(size)))
}

/// A page that sets two cookies.
async fn page(_: lambda_http::Request) -> HttpResponse {
    let mut response = Response::new(LambdaBody::Text("<h1>Ü & x</h1>".to_owned()));
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("text/html; charset=utf-8"));
    headers.append("set-cookie", HeaderValue::from_static("a=1; Path=/; HttpOnly"));
    headers.append("set-cookie", HeaderValue::from_static("b=; Max-Age=0"));
    response
}

async fn start_gateway() -> TestGateway {
    let (started, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (function_started, function_gate) = (Arc::clone(&started), Arc::clone(&gate));
    let handlers = Handlers::default().with("echo", echo).with("large", large_response).with("page", page);
    let handlers = handlers.with("panic", |_| async { panic!("on purpose") }).with("gated", move |_| {
        let (started, gate) = (Arc::clone(&function_started), Arc::clone(&function_gate));
        async move {
            started.add_permits(1);
            gate.acquire().await.unwrap().forget();
            no_content()
        }
    });
    let health = Arc::new(Mutex::new(Health::Healthy));
    let current = Arc::clone(&health);
    let check: HealthCheck = Arc::new(move || {
        let health = *current.lock().unwrap();
        Box::pin(async move { health })
    });
    let mut gateway = Gateway::new(TEST_ROUTES, &handlers, check, "local".to_owned()).unwrap();
    gateway.function_timeout = Duration::from_secs(3);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(serve(listener, Arc::new(gateway), async { drop(stopped.await) }));
    TestGateway { address, health, started, gate, stop, server }
}

#[tokio::test]
async fn function_runs_after_its_hook() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let (in_hook, in_function) = (Arc::clone(&order), Arc::clone(&order));
    let hook: BeforeHook = Arc::new(move || {
        let order = Arc::clone(&in_hook);
        Box::pin(async move {
            tokio::task::yield_now().await;
            order.lock().unwrap().push("hook");
        })
    });
    let handlers = Handlers::default().with("function", move |_| {
        let order = Arc::clone(&in_function);
        async move {
            order.lock().unwrap().push("function");
            no_content()
        }
    });
    let function = handlers.with_before_hook(hook).get("function").unwrap();
    function(lambda_http::Request::default()).await;
    assert_eq!(*order.lock().unwrap(), ["hook", "function"]);
}

/// A response as a plain client reads it: status, lower-cased head, body.
struct ClientResponse {
    status: u16,
    head: String,
    body: String,
}

impl ClientResponse {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl TestGateway {
    /// Writes a whole request before it reads the response, as the simplest clients do.
    async fn send(&self, request: impl AsRef<[u8]>) -> ClientResponse {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_ref()).await.unwrap();
        read_response(stream).await
    }

    async fn get(&self, path: &str) -> ClientResponse {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    async fn post(&self, body: &[u8]) -> ClientResponse {
        let head = "POST /things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n";
        let head = format!("{head}X-Auth-Token: t\r\nContent-Length: {}\r\n\r\n", body.len());
        self.send([head.as_bytes(), body].concat()).await
    }
}

async fn read_response(mut stream: TcpStream) -> ClientResponse {
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    let response = String::from_utf8(response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    ClientResponse { status, head: head.to_lowercase(), body: body.to_owned() }
}

fn assert_error(response: &ClientResponse, status: u16) {
    assert_eq!(response.status, status, "{}", response.head);
    let error = &response.json()["error"];
    assert!(["code", "message", "title"].iter().all(|key| error[key].is_string()), "{error}");
    let id = |name: &str| {
        let line = response.head.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().to_owned()
    };
    assert_eq!(id("x-openstack-request-id:"), format!("req-{}", id("x-request-id:")));
}

#[tokio::test]
async fn function_gets_decoded_parameters_and_joined_headers() {
    let gateway = start_gateway().await;
    let request =
        "GET /things/a%20b%2Fc HTTP/1.1\r\nHost: h\r\nX-Many: 1\r\nX-Many: 2\r\nConnection: close\r\n\r\n";
    let event = gateway.send(request).await.json();
    assert_eq!(event["thing"], "a b/c");
    assert_eq!(event["path"], "/things/a b/c");
    assert_eq!(event["many"], "1,2");
}

#[tokio::test]
async fn json_body_is_text_and_other_body_is_binary() {
    let gateway = start_gateway().await;
    assert_eq!(gateway.post(b"{\"a\":\"\\u00fc\"}").await.json()["body"], "text");
    let event = gateway.post(b"\xff\x00").await.json();
    assert_eq!((&event["body"], &event["length"]), (&json!("binary"), &json!(2)));
    assert_eq!(gateway.post(b"").await.json()["body"], "empty");
}

#[tokio::test]
async fn oversized_body_gets_readable_413() {
    let gateway = start_gateway().await;
    assert_error(&gateway.post(&vec![b'x'; 12 * 1024 * 1024]).await, 413);
    let chunk = [b"100000\r\n".as_slice(), &vec![b'x'; 0x10_0000], b"\r\n"].concat();
    let head = b"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_error(&gateway.send([head.as_slice(), &chunk.repeat(12), b"0\r\n\r\n"].concat()).await, 413);
}

#[tokio::test]
async fn expect_continue_with_oversized_body_gets_413() {
    let gateway = start_gateway().await;
    let head = "POST /things HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 12000000\r\n\r\n";
    assert_error(&gateway.send(head).await, 413);
}

#[tokio::test]
async fn payload_limit_applies_to_the_encoded_event() {
    let gateway = start_gateway().await;
    assert_eq!(gateway.post(&vec![b'x'; 6_000_000]).await.status, 200);
    // JSON escapes each byte, so the event is twice as long.
    assert_error(&gateway.post(&vec![b'"'; 4_000_000]).await, 413);
}

#[tokio::test]
async fn body_limit_depends_on_operation_and_credential() {
    let gateway = start_gateway().await;
    let send = |path: &str, token: &str, size: usize| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{token}");
        let head = format!("{head}Content-Length: {size}\r\n\r\n");
        gateway.send([head.into_bytes(), vec![b'x'; size]].concat())
    };
    let (token, none) = ("X-Auth-Token: t\r\n", "");
    assert_eq!(send("/things", token, 16_385).await.status, 200);
    assert_eq!(send("/things", none, 16_384).await.status, 200);
    let refused = send("/things", none, 16_385).await;
    assert_error(&refused, 413);
    assert!(refused.body.contains("16384 bytes, which is the limit of a request without a credential"));
    let refused = send("/elsewhere", token, 16_385).await;
    assert_error(&refused, 413);
    assert!(refused.body.contains("16384 bytes, which is the limit of this operation"));
}

#[tokio::test]
async fn large_responses_over_memory_budget_get_503() {
    let gateway = start_gateway().await;
    let mut unread = Vec::new();
    for _ in 0..MAX_RESPONSE_MEMORY / 6_000_000 {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream
            .write_all(b"GET /large/6000000 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        stream.read_exact(&mut [0; 12]).await.unwrap();
        unread.push(stream);
    }
    let refused = gateway.get("/large/6000000").await;
    assert_error(&refused, 503);
    assert!(refused.head.contains("retry-after: 1"));
    assert_eq!(gateway.get("/large/16000").await.status, 200, "a small response is not counted");
    // A client that reads its response frees memory.
    let mut read = Vec::new();
    unread.remove(0).read_to_end(&mut read).await.unwrap();
    assert_eq!(gateway.get("/large/6000000").await.status, 200);
}

#[tokio::test]
async fn invalid_http_gets_the_error_body() {
    let gateway = start_gateway().await;
    for (bytes, status) in [
        ("\0\0\0\0\r\n\r\n".to_owned(), 400),
        ("GET /things HTTP/3.0\r\n\r\n".to_owned(), 400),
        ("GET /things HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n".to_owned(), 400),
        ("GET * HTTP/1.1\r\nHost: h:80\r\nConnection: close\r\n\r\n".to_owned(), 400),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\nConnection: close\r\n\r\n".to_owned(), 400),
        (format!("GET /{} HTTP/1.1\r\n", "a".repeat(40_000)), 431),
        (format!("GET /things HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(2_000)), 431),
    ] {
        let response = gateway.send(&bytes).await;
        assert_error(&response, status);
        assert!(response.head.contains("connection: close"), "{}", response.head);
    }
}

#[tokio::test(start_paused = true)]
async fn silent_connection_is_closed_after_10_seconds() {
    let gateway = start_gateway().await;
    for begun in ["", "GET /things HTTP/1.1\r\nHos"] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        let since = tokio::time::Instant::now();
        stream.write_all(begun.as_bytes()).await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert!((10..15).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn connection_of_non_reading_client_is_closed_after_10_seconds() {
    let gateway = start_gateway().await;
    let mut stalled = TcpStream::connect(gateway.address).await.unwrap();
    stalled.write_all(b"GET /large/6000000 HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    stalled.read_exact(&mut [0]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(11)).await;
    let mut rest = Vec::new();
    // The connection ends within the response, with an error or without.
    let _ = stalled.read_to_end(&mut rest).await;
    assert!(rest.len() < 6_000_000, "{}", rest.len());
}

#[tokio::test(start_paused = true)]
async fn keep_alive_connection_may_idle_for_90_seconds() {
    let gateway = start_gateway().await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(b"GET /large/1 HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    let since = tokio::time::Instant::now();
    stream.read_to_end(&mut Vec::new()).await.unwrap();
    assert!((90..95).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
}

#[tokio::test]
async fn headers_over_10_kb_get_431() {
    let gateway = start_gateway().await;
    let with = |size: usize| {
        format!(
            "GET /things HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Long: {}\r\n\r\n",
            "x".repeat(size)
        )
    };
    assert_eq!(gateway.send(with(10_000)).await.status, 200);
    assert_error(&gateway.send(with(10_300)).await, 431);
}

#[tokio::test]
async fn invalid_host_header_gets_400() {
    let gateway = start_gateway().await;
    assert_error(&gateway.send("GET /things HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n").await, 400);
}

#[tokio::test]
async fn panicking_function_gets_500_and_server_keeps_running() {
    let gateway = start_gateway().await;
    let response = gateway.get("/panic").await;
    assert_error(&response, 500);
    assert!(!response.body.contains("purpose"));
    assert_eq!(gateway.get("/things").await.status, 200);
}

#[tokio::test]
async fn function_timeout_gets_504() {
    assert_error(&start_gateway().await.get("/gated").await, 504);
}

#[tokio::test]
async fn function_response_over_6_mb_gets_500() {
    let gateway = start_gateway().await;
    assert_eq!(gateway.get("/large/6000000").await.body.len(), 6_000_000);
    assert_error(&gateway.get("/large/6300000").await, 500);
}

#[tokio::test]
async fn gateway_reports_health_and_readiness() {
    let gateway = start_gateway().await;
    assert_eq!(gateway.get("/health").await.json(), json!({ "status": "ok" }));
    for (health, healthy, ready) in [
        (Health::Healthy, 200, 200),
        (Health::Stopping, 200, 503),
        (Health::Degraded("The disk is full."), 503, 200),
        (Health::Down("The database is damaged."), 503, 503),
    ] {
        *gateway.health.lock().unwrap() = health;
        let responses = [gateway.get("/health").await, gateway.get("/ready").await];
        assert_eq!(responses.each_ref().map(|response| response.status), [healthy, ready], "{health:?}");
        for response in responses.iter().filter(|response| response.status == 503) {
            assert!(!response.head.to_lowercase().contains("retry-after"), "{health:?}");
            let message = response.json()["error"]["message"].as_str().unwrap().to_owned();
            assert!(format!("{health:?} The server is stopping.").contains(&message), "{message}");
        }
    }
}

#[tokio::test]
async fn stop_finishes_in_flight_request_and_closes_listener() {
    let gateway = start_gateway().await;
    let mut idle = TcpStream::connect(gateway.address).await.unwrap();
    let mut busy = TcpStream::connect(gateway.address).await.unwrap();
    busy.write_all(b"GET /gated HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    gateway.started.acquire().await.unwrap().forget();
    gateway.stop.send(()).unwrap();
    // The stop closes the idle connection at once.
    assert_eq!(idle.read(&mut [0]).await.unwrap(), 0);
    assert!(TcpStream::connect(gateway.address).await.is_err());
    gateway.gate.add_permits(1);
    assert_eq!(read_response(busy).await.status, 204);
    gateway.server.await.unwrap();
}

#[tokio::test]
async fn stop_waits_for_function_of_disconnected_client() {
    let mut gateway = start_gateway().await;
    let mut gone = TcpStream::connect(gateway.address).await.unwrap();
    gone.write_all(b"GET /gated HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    gateway.started.acquire().await.unwrap().forget();
    drop(gone);
    gateway.stop.send(()).unwrap();
    tokio::select! {
        biased;
        _ = &mut gateway.server => panic!("the function still runs"),
        () = tokio::task::yield_now() => gateway.gate.add_permits(1),
    }
    gateway.server.await.unwrap();
    assert_eq!(gateway.gate.available_permits(), 0, "the function ran to its end");
}

#[tokio::test]
async fn stop_does_not_wait_for_non_reading_client() {
    let gateway = start_gateway().await;
    let mut stalled = TcpStream::connect(gateway.address).await.unwrap();
    stalled.write_all(b"GET /large/6000000 HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    stalled.read_exact(&mut [0]).await.unwrap();
    let since = Instant::now();
    gateway.stop.send(()).unwrap();
    gateway.server.await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
}
