//! The Lambda Runtime API, as much of it as a function sees: it fetches events, and posts answers or errors.
//!
//! One function, one server: an event waits until the function asks for the next one.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc, oneshot, watch};

use crate::http_server::HttpServer;

/// How long a function has for one event; what it sees as its deadline.
pub const INVOCATION_TIMEOUT: Duration = Duration::from_secs(29);

/// What became of an event: the function's answer, or the error that it reported.
pub type Outcome = Result<Value, Value>;

/// How far a function has come with its initialisation.
#[derive(Debug, Clone, PartialEq)]
pub enum Init {
    /// It has not said anything yet.
    Running,
    /// It asked for its first event then.
    Done(Instant),
    /// It reported that it cannot start.
    Failed(Value),
}

/// A Runtime API for one function.
pub struct RuntimeApi {
    server: HttpServer,
    exchange: Arc<Exchange>,
    events: mpsc::UnboundedSender<Invocation>,
    init: watch::Receiver<Init>,
    last_id: AtomicU64,
}

/// Where the test's side and the function's side meet.
struct Exchange {
    waiting: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    handed_out: StdMutex<HashMap<String, oneshot::Sender<Outcome>>>,
    init: watch::Sender<Init>,
}

struct Invocation {
    id: String,
    event: Bytes,
    timeout: Duration,
    outcome: oneshot::Sender<Outcome>,
}

impl RuntimeApi {
    /// A Runtime API on a free port.
    pub async fn start() -> Self {
        let (events, waiting) = mpsc::unbounded_channel();
        let (init_said, init) = watch::channel(Init::Running);
        let exchange = Arc::new(Exchange {
            waiting: Mutex::new(waiting),
            handed_out: StdMutex::default(),
            init: init_said,
        });
        let answering = Arc::clone(&exchange);
        let server = HttpServer::start(move |request| {
            let exchange = Arc::clone(&answering);
            async move { exchange.answer(request).await }
        });
        Self { server: server.await, exchange, events, init, last_id: AtomicU64::new(0) }
    }

    /// What belongs into the function's `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Waits until the function has asked for its first event or reported that it cannot start.
    pub async fn initialised(&self) -> Init {
        let mut init = self.init.clone();
        let said =
            init.wait_for(|init| *init != Init::Running).await.expect("the exchange lives as long as self");
        said.clone()
    }

    /// Hands the event to the function, which is told that it has so long, and waits for what becomes of it.
    pub async fn invoke(&self, event: &Value, timeout: Duration) -> Outcome {
        let id = format!("00000000-0000-4000-8000-{:012}", self.last_id.fetch_add(1, Ordering::Relaxed));
        let (outcome, reported) = oneshot::channel();
        let event = serde_json::to_vec(event).expect("a value is JSON").into();
        let sent = self.events.send(Invocation { id: id.clone(), event, timeout, outcome });
        assert!(sent.is_ok(), "the exchange lives as long as self");
        let _forget = Forget { exchange: &self.exchange, id };
        reported.await.expect("an event is kept until its outcome is reported")
    }
}

/// Forgets an event when nobody waits for its outcome any longer.
struct Forget<'a> {
    exchange: &'a Exchange,
    id: String,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.exchange.take(&self.id);
    }
}

impl Exchange {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let Some(path) = request.uri().path().strip_prefix("/2018-06-01/runtime/") else {
            return empty(StatusCode::NOT_FOUND);
        };
        let steps: Vec<&str> = path.split('/').collect();
        match (request.method(), steps.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.report(id, Ok(json(request.body()))),
            (&Method::POST, ["invocation", id, "error"]) => self.report(id, Err(json(request.body()))),
            (&Method::POST, ["init", "error"]) => {
                self.init.send_replace(Init::Failed(json(request.body())));
                empty(StatusCode::ACCEPTED)
            }
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    async fn next(&self) -> Response<Bytes> {
        self.init.send_if_modified(|init| {
            let first = *init == Init::Running;
            if first {
                *init = Init::Done(Instant::now());
            }
            first
        });
        let Some(Invocation { id, event, timeout, outcome }) = self.waiting.lock().await.recv().await else {
            return empty(StatusCode::GONE);
        };
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + timeout;
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", &id)
            .header("lambda-runtime-deadline-ms", deadline.as_millis().to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-west-1:123456789012:function:under-test",
            )
            .body(event)
            .expect("the headers are plain");
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner).insert(id, outcome);
        response
    }

    fn report(&self, id: &str, outcome: Outcome) -> Response<Bytes> {
        let Some(waiting) = self.take(id) else {
            return empty(StatusCode::BAD_REQUEST);
        };
        // The test may have stopped waiting.
        let _ = waiting.send(outcome);
        empty(StatusCode::ACCEPTED)
    }

    fn take(&self, id: &str) -> Option<oneshot::Sender<Outcome>> {
        self.handed_out.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// The body as JSON; one that is none is told as the text it is.
fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}
