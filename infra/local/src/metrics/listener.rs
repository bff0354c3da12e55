//! Serves the metrics over HTTP, at an address apart from the API, without authentication: the network has to restrict
//! it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use imageshare::store::Store;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Metrics;

const OPENMETRICS_CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Connections at a time. A scraper needs one.
const MAX_CONNECTIONS: usize = 8;

/// How long a connection may last, with all of its requests.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the metrics until `stop` is ready. Open work is read from `store`.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    store: Store,
    stop: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&slots).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Most likely out of file descriptors: wait until some are free.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (metrics, store) = (Arc::clone(&metrics), store.clone());
        tokio::spawn(async move {
            let _ = timeout(CONNECTION_TIMEOUT, serve_connection(stream, metrics, store)).await;
            drop(permit);
        });
    }
}

async fn serve_connection(stream: TcpStream, metrics: Arc<Metrics>, store: Store) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (metrics, store) = (Arc::clone(&metrics), store.clone());
        async move { Ok::<_, Infallible>(handle(&metrics, &store, &request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).keep_alive(false);
    if let Err(problem) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%problem, "a connection to the metrics ended early");
    }
}

async fn handle(metrics: &Metrics, store: &Store, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return error_response(StatusCode::NOT_FOUND, "The metrics are at /metrics.\n");
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = error_response(StatusCode::METHOD_NOT_ALLOWED, "Use GET.\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match metrics.encode(store).await {
        Ok(text) => {
            let mut response = Response::new(Full::from(text));
            response.headers_mut().insert(CONTENT_TYPE, OPENMETRICS_CONTENT_TYPE);
            response
        }
        Err(problem) => {
            tracing::error!(%problem, "the open work items cannot be read for the metrics");
            let message = "The table cannot be read. Look at the server's log.\n";
            error_response(StatusCode::SERVICE_UNAVAILABLE, message)
        }
    }
}

fn error_response(status: StatusCode, message: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
