//! The connection to servers that are replaced at every cut. Only a complete response counts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::sync::watch;

/// Where the servers are.
pub struct Endpoint {
    /// The number of cuts so far.
    pub cut_count: u32,
    /// The addresses, of which a client takes one after the other.
    pub addresses: Vec<String>,
    /// Whether there will be no more cuts.
    pub is_last: bool,
}

/// The results of all clients' writes.
#[derive(Default)]
pub struct RequestCounts {
    acknowledged: AtomicU64,
    interrupted: AtomicU64,
    retried: AtomicU64,
}

impl RequestCounts {
    /// Requests in progress at a cut.
    pub fn interrupted(&self) -> u64 {
        self.interrupted.load(Relaxed)
    }
}

impl fmt::Display for RequestCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        let (acknowledged, postponed) = (count(&self.acknowledged), count(&self.retried));
        write!(
            f,
            "{acknowledged} requests acknowledged, {} in progress at a cut, {postponed} retried",
            self.interrupted()
        )
    }
}

/// One request.
pub struct Request<'a> {
    pub method: Method,
    pub target: String,
    pub token: &'a str,
    pub body: Option<&'a Value>,
    pub idempotency_key: Option<&'a str>,
}

/// A response, and the number of cuts before it: the request may have been executed that often without a response.
pub struct Response {
    pub status: u16,
    pub body: Value,
    pub interruptions: u32,
}

/// A client's connection to the server.
pub struct Client {
    http: reqwest::Client,
    endpoint: watch::Receiver<Endpoint>,
    counts: Arc<RequestCounts>,
    /// The number of requests sent, which chooses the next server.
    sent_count: usize,
}

impl Client {
    pub fn new(endpoint: watch::Receiver<Endpoint>, request_counts: &Arc<RequestCounts>) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { http, endpoint, counts: Arc::clone(request_counts), sent_count: 0 }
    }

    /// Whether there will be no more cuts.
    pub fn is_last(&self) -> bool {
        self.endpoint.borrow().is_last
    }

    /// Sends a request until there is a response.
    pub async fn send_until_answered(&mut self, request: &Request<'_>) -> Response {
        let changes = u64::from(request.method != Method::GET);
        let mut cuts = 0;
        loop {
            self.sent_count += 1;
            let (life, address, is_only) = {
                let endpoint = self.endpoint.borrow();
                let addresses = &endpoint.addresses;
                let address = addresses[self.sent_count % addresses.len()].clone();
                (endpoint.cut_count, address, addresses.len() == 1)
            };
            match self.send_once(&address, request).await {
                // The table did not respond in time, and the request may have been executed.
                Ok((503, body)) if body.to_string().contains("may have been executed") => {
                    cuts += 1;
                    self.counts.interrupted.fetch_add(changes, Relaxed);
                }
                // The response says that nothing was done and that a retry helps.
                Ok((status @ (409 | 503), body)) if status == 503 || body["error"]["code"] == "IMG.0046" => {
                    self.counts.retried.fetch_add(1, Relaxed);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok((status, body)) => {
                    self.counts.acknowledged.fetch_add(changes, Relaxed);
                    return Response { status, body, interruptions: cuts };
                }
                Err(problem) => {
                    // Without a connection nothing was sent.
                    if !problem.is_connect() {
                        cuts += 1;
                        self.counts.interrupted.fetch_add(changes, Relaxed);
                    }
                    if !is_only {
                        // The next server may be running.
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        continue;
                    }
                    // A connection may break without a cut, too; then no new server comes.
                    let next = self.endpoint.wait_for(|endpoint| endpoint.cut_count > life);
                    let _ = tokio::time::timeout(Duration::from_secs(2), next).await;
                }
            }
        }
    }

    async fn send_once(&self, address: &str, request: &Request<'_>) -> reqwest::Result<(u16, Value)> {
        let mut sent =
            self.http.request(request.method.clone(), format!("http://{address}{}", request.target));
        sent = sent.header("x-auth-token", request.token);
        if let Some(key) = request.idempotency_key {
            sent = sent.header("idempotency-key", key);
        }
        if let Some(body) = request.body {
            sent = sent.json(body);
        }
        let response = sent.send().await?;
        let status = response.status().as_u16();
        let body = response.bytes().await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }
}
