//! The address of an emulated HTTP API.
//!
//! The emulator serves an API under a path prefix, with which signatures of paths would not match. This server forwards requests
//! to it, so that clients find the API at the root, as on AWS.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{Request, Response, StatusCode};
use reqwest::redirect::Policy;

use crate::http_server::HttpServer;

/// An address that exists before its API, so that it can be the deployment's public URL.
pub struct ApiAddress {
    server: HttpServer,
    api: Arc<OnceLock<String>>,
}

impl ApiAddress {
    /// Starts an address for an API of the emulator at that URL.
    pub async fn start(emulator: String) -> Self {
        let api = Arc::new(OnceLock::<String>::new());
        let found = Arc::clone(&api);
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none());
        let client = client.timeout(Duration::from_mins(2)).build().expect("a client");
        let server = HttpServer::start(move |request: Request<Bytes>| {
            let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
            let api = found.get().map_or("none", String::as_str);
            let url = format!("{emulator}/_aws/execute-api/{api}/$default{target}");
            forward(client.clone(), url, request)
        });
        Self { server: server.await, api }
    }

    /// Sets the id of the API.
    pub fn serve(&self, api_id: &str) {
        self.api.set(api_id.to_owned()).expect("an address of one API");
    }

    /// The address, as `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }
}

/// Forwards a request unchanged, with its `Host`, which may be signed.
async fn forward(client: reqwest::Client, url: String, request: Request<Bytes>) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    let mut headers = head.headers;
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONTENT_LENGTH);
    let sent = client.request(head.method, url).headers(headers).body(body).send().await;
    let answer = match sent {
        Ok(answer) => answer,
        Err(problem) => {
            let mut failed = Response::new(Bytes::from(problem.to_string()));
            *failed.status_mut() = StatusCode::BAD_GATEWAY;
            return failed;
        }
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove(TRANSFER_ENCODING);
    headers.remove(CONTENT_LENGTH);
    if status == StatusCode::NO_CONTENT {
        // The emulator sets a content type of JSON, which a client then tries to parse.
        headers.remove(CONTENT_TYPE);
    }
    let mut response = Response::new(answer.bytes().await.unwrap_or_default());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
