//! Accepts and serves connections, and ends them gracefully.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Gateway;
use super::connections::{Activity, ConnectionSlot, Connections, Phase};
use super::stream::ClientStream;
use crate::descriptors;

/// The parser's buffer for what a client sends. A head may have 10 KB.
const READ_BUFFER_BYTES: usize = 32 * 1024;

/// Headers in one request. API Gateway limits only their size, as this gateway does. Above this number the parser
/// itself writes the response, which [`ClientStream`] replaces.
const MAX_HEADERS: usize = 1024;

/// How long running functions may take after a stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(29);

/// How long clients may then take to send the rest of a request and to read their responses.
const CLIENT_GRACE_PERIOD: Duration = Duration::from_secs(2);

/// Serves connections until `stop` is ready. Then accepts no more, waits up to 29 seconds for running functions, and
/// gives their clients two seconds to read the responses.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>, stop: impl Future<Output = ()>) {
    let (graceful, (abandon, abandoned)) = (GracefulShutdown::new(), watch::channel(()));
    let accepting = accept_connections(&listener, &gateway, &graceful, &abandoned);
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
    drop(listener);
    let finished = timeout(STOP_TIMEOUT, async {
        let functions = async {
            gateway.wait_until_idle().await;
            sleep(CLIENT_GRACE_PERIOD).await;
        };
        tokio::select! {
            () = graceful.shutdown() => {}
            () = functions => tracing::warn!("some clients did not read their responses; their connections are closed"),
        }
        drop(abandon);
        gateway.wait_until_idle().await;
    });
    if finished.await.is_err() {
        tracing::warn!("requests were still running 29 seconds after the stop; they are aborted");
    }
}

async fn accept_connections(
    listener: &TcpListener,
    gateway: &Arc<Gateway>,
    graceful: &GracefulShutdown,
    abandoned: &watch::Receiver<()>,
) {
    let mut connections = Connections::new(descriptors::limit());
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                let client = ClientConnection { address: client, slot: connections.acquire_slot().await };
                let (gateway, abandoned) = (Arc::clone(gateway), abandoned.clone());
                tokio::spawn(serve_connection(stream, client, gateway, graceful.watcher(), abandoned));
            }
            Err(problem) => {
                // Most likely out of file descriptors: an eviction frees one.
                tracing::warn!(%problem, "a connection could not be accepted");
                connections.evict_longest_waiting();
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// The client of a connection, and the connection's slot.
struct ClientConnection {
    address: SocketAddr,
    slot: ConnectionSlot,
}

/// Serves a connection until it ends, is evicted, or the server stops.
async fn serve_connection(
    stream: TcpStream,
    client: ClientConnection,
    gateway: Arc<Gateway>,
    graceful: Watcher,
    mut abandoned: watch::Receiver<()>,
) {
    // A response is written in one call, so delaying packets to combine them gains nothing.
    let _ = stream.set_nodelay(true);
    let activity = Arc::clone(&client.slot.activity);
    let service = service_fn(|request| handle_request(&gateway, request, client.address, &activity));
    let mut http = http1::Builder::new();
    // The stream has timeouts of its own, which distinguish a slow request from an idle connection.
    http.header_read_timeout(None).max_headers(MAX_HEADERS).max_buf_size(READ_BUFFER_BYTES);
    let stream = ClientStream::new(stream, Arc::clone(&activity));
    let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection => if let Err(problem) = ended {
            tracing::debug!(%problem, "a connection ended early");
        },
        () = client.slot.activity.wait_for_eviction() => tracing::debug!("an idle or slow connection was evicted"),
        // The sender never sends: this returns when it is dropped.
        _ = abandoned.changed() => {}
    }
}

/// Handles a request. A chunked request is the last of its connection: if it has a `Content-Length` as well, a proxy
/// may have seen its end elsewhere, and the bytes after it could be a smuggled request (RFC 9112, 6.1).
async fn handle_request(
    gateway: &Gateway,
    request: Request<Incoming>,
    client: SocketAddr,
    activity: &Activity,
) -> Result<Response<Full<Bytes>>, Infallible> {
    activity.enter(Phase::Handling);
    let is_last = request.headers().contains_key(TRANSFER_ENCODING);
    let request = request.map(|body| TrackedBody { body, activity });
    let mut response = gateway.handle(request, client).await;
    activity.enter(Phase::Writing);
    if is_last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// A request's body, which records in the connection's activity when it waits for the client.
struct TrackedBody<'a> {
    body: Incoming,
    activity: &'a Activity,
}

impl Body for TrackedBody<'_> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match (&frame, self.activity.phase()) {
            (Poll::Pending, Phase::Handling) => self.activity.enter(Phase::ReadingBody),
            (Poll::Ready(_), Phase::ReadingBody) => self.activity.enter(Phase::Handling),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
