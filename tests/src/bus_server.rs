//! EventBridge as far as a function publishes there: it takes every event, and counts. Signatures are not verified, as
//! [`secret_server`](crate::secret_server) verifies those of the same signer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::http_server::HttpServer;

/// A server on loopback, stopped when it is dropped.
pub struct BusServer {
    server: HttpServer,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    calls: AtomicU64,
    events: AtomicU64,
}

impl BusServer {
    /// Starts a server that has taken nothing yet.
    pub async fn start() -> Self {
        let counts = Arc::<Counts>::default();
        let counting = Arc::clone(&counts);
        let server = HttpServer::start(move |request: Request<Bytes>| {
            let response = take(&counting, &request);
            async move { response }
        });
        Self { server: server.await, counts }
    }

    /// The value of a function's `AWS_ENDPOINT_URL_EVENTBRIDGE`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// How many calls of `PutEvents` there were so far, and how many events in them.
    pub fn counts(&self) -> [u64; 2] {
        [&self.counts.calls, &self.counts.events].map(|count| count.load(Ordering::Relaxed))
    }
}

fn take(counts: &Counts, request: &Request<Bytes>) -> Response<Bytes> {
    let body: Value = serde_json::from_slice(request.body()).expect("a body of JSON");
    let entries = body["Entries"].as_array().expect("entries");
    counts.calls.fetch_add(1, Ordering::Relaxed);
    counts.events.fetch_add(entries.len() as u64, Ordering::Relaxed);
    let results: Vec<_> = (0..entries.len()).map(|number| json!({"EventId": number.to_string()})).collect();
    Response::new(json!({"Entries": results, "FailedEntryCount": 0}).to_string().into())
}
