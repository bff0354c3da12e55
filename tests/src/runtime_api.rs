//! The part of Lambda's Runtime API that a function uses: it requests events, and posts responses or errors.
//!
//! A server serves one function. An event waits until the function requests the next one.

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

/// The time a function has for one event; its deadline follows from it.
pub const INVOCATION_TIMEOUT: Duration = Duration::from_secs(29);

/// The result of an event: the function's response, or the error that it reported.
pub type InvocationResult = Result<Value, Value>;

/// The initialisation state of a function.
#[derive(Debug, Clone, PartialEq)]
pub enum InitState {
    /// Nothing was received yet.
    Running,
    /// It requested its first event at this time.
    Done(Instant),
    /// It reported an initialisation error.
    Failed(Value),
}

/// A Runtime API for one function.
pub struct RuntimeApi {
    server: HttpServer,
    state: Arc<State>,
    events: mpsc::UnboundedSender<Invocation>,
    init: watch::Receiver<InitState>,
    last_id: AtomicU64,
}

/// State shared by the test's side and the function's side.
struct State {
    queued: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    in_flight: StdMutex<HashMap<String, oneshot::Sender<InvocationResult>>>,
    init: watch::Sender<InitState>,
}

struct Invocation {
    id: String,
    event: Bytes,
    timeout: Duration,
    result: oneshot::Sender<InvocationResult>,
}

impl RuntimeApi {
    /// Starts a Runtime API on a free port.
    pub async fn start() -> Self {
        let (events, waiting) = mpsc::unbounded_channel();
        let (init_sender, init) = watch::channel(InitState::Running);
        let state = Arc::new(State {
            queued: Mutex::new(waiting),
            in_flight: StdMutex::default(),
            init: init_sender,
        });
        let serving = Arc::clone(&state);
        let server = HttpServer::start(move |request| {
            let state = Arc::clone(&serving);
            async move { state.handle(request).await }
        });
        Self { server: server.await, state, events, init, last_id: AtomicU64::new(0) }
    }

    /// The value of the function's `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Waits until the function has requested its first event or reported an initialisation error.
    pub async fn wait_for_init(&self) -> InitState {
        let mut init = self.init.clone();
        let state =
            init.wait_for(|init| *init != InitState::Running).await.expect("the state lives as long as self");
        state.clone()
    }

    /// Sends an event to the function, with this timeout as its deadline. Returns the result.
    pub async fn invoke(&self, event: &Value, timeout: Duration) -> InvocationResult {
        let id = format!("00000000-0000-4000-8000-{:012}", self.last_id.fetch_add(1, Ordering::Relaxed));
        let (outcome, reported) = oneshot::channel();
        let event = serde_json::to_vec(event).expect("a value is JSON").into();
        let sent = self.events.send(Invocation { id: id.clone(), event, timeout, result: outcome });
        assert!(sent.is_ok(), "the state lives as long as self");
        let _forget = InvocationGuard { state: &self.state, id };
        reported.await.expect("an event is kept until its outcome is reported")
    }
}

/// Removes an event when nothing waits for its result any longer.
struct InvocationGuard<'a> {
    state: &'a State,
    id: String,
}

impl Drop for InvocationGuard<'_> {
    fn drop(&mut self) {
        self.state.take_waiter(&self.id);
    }
}

impl State {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let Some(path) = request.uri().path().strip_prefix("/2018-06-01/runtime/") else {
            return empty_response(StatusCode::NOT_FOUND);
        };
        let steps: Vec<&str> = path.split('/').collect();
        match (request.method(), steps.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next_invocation().await,
            (&Method::POST, ["invocation", id, "response"]) => {
                self.complete(id, Ok(parse_json(request.body())))
            }
            (&Method::POST, ["invocation", id, "error"]) => {
                self.complete(id, Err(parse_json(request.body())))
            }
            (&Method::POST, ["init", "error"]) => {
                self.init.send_replace(InitState::Failed(parse_json(request.body())));
                empty_response(StatusCode::ACCEPTED)
            }
            _ => empty_response(StatusCode::NOT_FOUND),
        }
    }

    async fn next_invocation(&self) -> Response<Bytes> {
        self.init.send_if_modified(|init| {
            let first = *init == InitState::Running;
            if first {
                *init = InitState::Done(Instant::now());
            }
            first
        });
        let Some(Invocation { id, event, timeout, result: outcome }) = self.queued.lock().await.recv().await
        else {
            return empty_response(StatusCode::GONE);
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
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(id, outcome);
        response
    }

    fn complete(&self, id: &str, result: InvocationResult) -> Response<Bytes> {
        let Some(waiting) = self.take_waiter(id) else {
            return empty_response(StatusCode::BAD_REQUEST);
        };
        // The test may have stopped waiting.
        let _ = waiting.send(result);
        empty_response(StatusCode::ACCEPTED)
    }

    fn take_waiter(&self, id: &str) -> Option<oneshot::Sender<InvocationResult>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

fn empty_response(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// The body as JSON, or as a string if it is not JSON.
fn parse_json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}
