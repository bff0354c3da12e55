//! A small HTTP server on loopback, for the services that tests replace.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// A running server. It and its connections end when it is dropped.
pub struct HttpServer {
    /// Its address.
    pub address: SocketAddr,
    accept_task: JoinHandle<()>,
}

impl HttpServer {
    /// Serves every request with a handler, on a free port.
    pub async fn start<H, F>(handler: H) -> Self
    where
        H: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        Self::start_with(None, handler).await
    }

    /// The same, over TLS if there is a configuration for it.
    pub(crate) async fn start_with<H, F>(tls: Option<Arc<ServerConfig>>, handler: H) -> Self
    where
        H: Fn(Request<Bytes>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Bytes>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound listener has an address");
        let acceptor = tls.map(TlsAcceptor::from);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                // Without this, the client's delayed acknowledgement can hold a response back for 40 ms.
                stream.set_nodelay(true).expect("no delay");
                let (handler, acceptor) = (handler.clone(), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => serve(stream, handler).await,
                        // The client has rejected the certificate.
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, handler).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, accept_task: accepting }
    }
}

async fn serve<S, H, F>(stream: S, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request<Bytes>) -> F + Clone,
    F: Future<Output = Response<Bytes>>,
{
    let service = service_fn(move |request| call_handler(handler.clone(), request));
    // A client that disconnects is not a failure of the server.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.accept_task.abort();
    }
}

async fn call_handler<H, F>(handler: H, request: Request<Incoming>) -> hyper::Result<Response<Full<Bytes>>>
where
    H: Fn(Request<Bytes>) -> F,
    F: Future<Output = Response<Bytes>>,
{
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(handler(Request::from_parts(parts, body)).await.map(Full::new))
}
