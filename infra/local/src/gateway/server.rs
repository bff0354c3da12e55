//! Connections: accepting them, serving each, and ending them in good order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::Gateway;

/// How long a client may take to send request line and headers, or leave a connection idle.
const HEADER_PATIENCE: Duration = Duration::from_secs(90);

/// Headers that a request may have. API Gateway limits only their size, as the gateway itself then does; above this the
/// connection's own parser answers, without a body.
const MOST_HEADERS: usize = 1024;

/// How long requests may take to finish once the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(29);

/// Serves connections until `stop` is ready; then accepts no more, lets requests in flight finish for at most 29
/// seconds, and returns.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let accepting = accept(&listener, &gateway, &connections);
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    let finished = timeout(FAREWELL, async {
        connections.shutdown().await;
        gateway.idle().await;
    });
    if finished.await.is_err() {
        tracing::warn!("requests were still running 29 seconds after the stop; they are abandoned");
    }
}

async fn accept(listener: &TcpListener, gateway: &Arc<Gateway>, connections: &GracefulShutdown) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => serve_connection(stream, client, Arc::clone(gateway), connections),
            Err(problem) => {
                // Out of file descriptors, most likely: some will be given back.
                tracing::warn!(%problem, "a connection could not be accepted");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn serve_connection(
    stream: TcpStream,
    client: SocketAddr,
    gateway: Arc<Gateway>,
    connections: &GracefulShutdown,
) {
    // An answer is written at once, so there is nothing to gain from waiting for more.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let gateway = Arc::clone(&gateway);
        async move { Ok::<_, Infallible>(answer(&gateway, request, client).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE).max_headers(MOST_HEADERS);
    let connection = connections.watch(http.serve_connection(TokioIo::new(stream), service));
    tokio::spawn(async move {
        if let Err(problem) = connection.await {
            tracing::debug!(%problem, "a connection ended early");
        }
    });
}

/// Answers a request. One that comes in chunks is the last of its connection: where it has a length as well, whoever was before
/// may have seen its end elsewhere, and what stands behind it is then no request of its own (RFC 9112, 6.1).
async fn answer(gateway: &Gateway, request: Request<Incoming>, client: SocketAddr) -> Response<Full<Bytes>> {
    let is_last = request.headers().contains_key(TRANSFER_ENCODING);
    let mut answer = gateway.answer(request, client).await;
    if is_last {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}
