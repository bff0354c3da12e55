//! A server that answers as a test says, and keeps what it received.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Client, Credential, RetryPolicy, Secret, Settings};

/// What the server received.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub(super) name: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What the server answers.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A status, headers and a body.
    Response(u16, Vec<(&'static str, String)>, Value),
    /// The connection breaks.
    Break,
}

/// A running server.
pub(super) struct TestServer {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

pub(super) fn ok(body: Value) -> Answer {
    Answer::Response(200, Vec::new(), body)
}

pub(super) fn refused(status: u16, code: &str) -> Answer {
    Answer::Response(status, Vec::new(), json!({"error": {"code": code, "message": "No.", "title": "No"}}))
}

impl TestServer {
    /// Starts a server that gives these answers, one after the other.
    pub(super) async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
                let serve =
                    service_fn(move |request| answer(request, Arc::clone(&log), Arc::clone(&answers)));
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), serve).await;
                });
            }
        });
        Self { address, received }
    }

    /// A client of this server with a token, whose retries take no time.
    pub(super) fn client(&self) -> Client {
        self.client_with(Credential::Token(Secret::new("token")))
    }

    pub(super) fn client_with(&self, credential: Credential) -> Client {
        let endpoint = format!("http://{}", self.address).parse().expect("an address");
        let mut settings = Settings::new(endpoint, credential);
        let pause = std::time::Duration::from_millis(1);
        settings.retries = RetryPolicy { max_retries: 4, first_pause: pause, max_pause: pause };
        settings.project_id = Some("own1".to_owned());
        Client::new(settings).expect("a client")
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("the log").clone()
    }

    /// The methods and targets of the requests.
    pub(super) fn names(&self) -> Vec<String> {
        self.received().into_iter().map(|one| one.name).collect()
    }
}

async fn answer(
    request: Request<Incoming>,
    log: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let name = format!("{} {}", head.method, head.uri);
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    log.lock().expect("the log").push(Received { name: name.clone(), headers: head.headers, body });
    let next = answers.lock().expect("the answers").pop_front();
    match next.unwrap_or_else(|| panic!("no answer is left for {name}")) {
        Answer::Break => Err(std::io::Error::other("the connection breaks")),
        Answer::Response(status, headers, body) => {
            let mut response = Response::builder().status(status).header("x-request-id", "request-1");
            for (name, value) in headers {
                response = response.header(name, value);
            }
            let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
            Ok(response.body(Full::new(body)).expect("a response"))
        }
    }
}
