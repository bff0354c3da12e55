//! A server that tokens are from: it answers what a test tells it to, and counts how often it was asked.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use crate::http_server::HttpServer;

/// A running issuer.
pub struct Issuer {
    server: HttpServer,
    state: Arc<Mutex<State>>,
}

struct State {
    status: u16,
    body: Value,
    asked: Vec<Request<()>>,
}

impl Issuer {
    /// An issuer that answers 404.
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State { status: 404, body: Value::Null, asked: Vec::new() }));
        let shared = Arc::clone(&state);
        let server = HttpServer::start(move |request: Request<Bytes>| {
            let mut state = shared.lock().expect("no panic");
            let answer = Response::builder().status(state.status).body(Bytes::from(state.body.to_string()));
            state.asked.push(request.map(|_| ()));
            async move { answer.expect("an answer") }
        });
        Self { server: server.await, state }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// From now on it answers that.
    pub fn answer(&self, status: u16, body: Value) {
        let mut state = self.state.lock().expect("no panic");
        (state.status, state.body) = (status, body);
    }

    /// What it was asked since this was called last.
    pub fn asked(&self) -> Vec<Request<()>> {
        std::mem::take(&mut self.state.lock().expect("no panic").asked)
    }
}
