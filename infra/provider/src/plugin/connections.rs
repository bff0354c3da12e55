//! The connections of Terraform: accepted, secured, served, closed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::router::Router;

/// How long a client may take for the handshake of TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long calls may take to end after a shutdown. Terraform kills the process 2 seconds after it has requested one, having no
/// calls then; another that sends SIGTERM may wait longer.
const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// The pause after a connection could not be accepted, for instance since no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How much a client may send ahead. States are large, and the socket is local.
const WINDOW: u32 = 4 << 20;

/// Serves every connection in a task of its own, so that none waits for another.
#[derive(Clone)]
pub(super) struct Connections {
    tls: Option<TlsAcceptor>,
    router: Arc<Router>,
    shutdown: CancellationToken,
}

impl Connections {
    pub(super) fn new(tls: Option<TlsAcceptor>, router: Router, shutdown: CancellationToken) -> Self {
        Self { tls, router: Arc::new(router), shutdown }
    }

    /// Accepts connections until the shutdown, then lets their calls end.
    pub(super) async fn serve(&self, listener: &UnixListener) {
        let mut open = JoinSet::new();
        loop {
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                Some(_) = open.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let connections = self.clone();
                        open.spawn(async move { connections.serve_stream(stream).await });
                    }
                    Err(problem) => {
                        tracing::warn!(%problem, "a connection was not accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        let all_closed = async { while open.join_next().await.is_some() {} };
        if timeout(GRACE_PERIOD, all_closed).await.is_err() {
            tracing::warn!("a call was still running at the end");
        }
    }

    async fn serve_stream(&self, stream: UnixStream) {
        let Some(tls) = &self.tls else { return self.serve_http(stream).await };
        match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_http(stream).await,
            Ok(Err(problem)) => tracing::warn!(%problem, "a client was refused"),
            Err(_) => tracing::warn!("a client did not finish its handshake"),
        }
    }

    async fn serve_http(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
            let router = Arc::clone(&self.router);
            async move { Ok::<_, Infallible>(router.call(request.map(tonic::body::Body::new)).await) }
        });
        let connection = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(problem) = ended {
            tracing::debug!(%problem, "a connection ended");
        }
    }
}
