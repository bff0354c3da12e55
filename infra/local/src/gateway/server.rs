//! Connections: accepting them, serving each, and ending them in good order.

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

/// What the parser holds at most of what a client sends. A head may have 10 KB.
const READ_BUFFER_BYTES: usize = 32 * 1024;

/// Headers that a request may have. API Gateway limits only their size, as the gateway itself then does; above this the
/// connection's own parser answers, without a body.
const MAX_HEADERS: usize = 1024;

/// How long functions may take to finish once the server was told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(29);

/// How long clients may then take to send the rest of a request, and to read their answers.
const CLIENT_GRACE_PERIOD: Duration = Duration::from_secs(2);

/// Serves connections until `stop` is ready; then accepts no more, lets functions that run finish for at most 29 seconds,
/// gives their clients two seconds to read the answers, and returns.
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
            () = functions => tracing::warn!("some clients did not read their answers; they are abandoned"),
        }
        drop(abandon);
        gateway.wait_until_idle().await;
    });
    if finished.await.is_err() {
        tracing::warn!("requests were still running 29 seconds after the stop; they are abandoned");
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
                // Out of file descriptors, most likely: some will be given back.
                tracing::warn!(%problem, "a connection could not be accepted");
                connections.evict_longest_waiting();
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// The client of a connection, and the place of the connection among all.
struct ClientConnection {
    address: SocketAddr,
    slot: ConnectionSlot,
}

/// Serves a connection until it ends, has to make room for another, or the server ends.
async fn serve_connection(
    stream: TcpStream,
    client: ClientConnection,
    gateway: Arc<Gateway>,
    graceful: Watcher,
    mut abandoned: watch::Receiver<()>,
) {
    // An answer is written at once, so there is nothing to gain from waiting for more.
    let _ = stream.set_nodelay(true);
    let activity = Arc::clone(&client.slot.activity);
    let service = service_fn(|request| handle_request(&gateway, request, client.address, &activity));
    let mut http = http1::Builder::new();
    // The stream has time limits of its own, which tell a request that comes slowly from a connection that is idle.
    http.header_read_timeout(None).max_headers(MAX_HEADERS).max_buf_size(READ_BUFFER_BYTES);
    let stream = ClientStream::new(stream, Arc::clone(&activity));
    let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection => if let Err(problem) = ended {
            tracing::debug!(%problem, "a connection ended early");
        },
        () = client.slot.activity.wait_for_eviction() => tracing::debug!("a connection that waited for its client has made room"),
        // There is nothing to receive but that the sender is gone.
        _ = abandoned.changed() => {}
    }
}

/// Answers a request. One that comes in chunks is the last of its connection: where it has a length as well, whoever was before
/// may have seen its end elsewhere, and what stands behind it is then no request of its own (RFC 9112, 6.1).
async fn handle_request(
    gateway: &Gateway,
    request: Request<Incoming>,
    client: SocketAddr,
    activity: &Activity,
) -> Result<Response<Full<Bytes>>, Infallible> {
    activity.enter(Phase::Handling);
    let is_last = request.headers().contains_key(TRANSFER_ENCODING);
    let request = request.map(|body| TrackedBody { body, activity });
    let mut answer = gateway.handle(request, client).await;
    activity.enter(Phase::Writing);
    if is_last {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(answer)
}

/// A request's body, which says of the connection whether it waits for its client.
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
