//! A proxy between a client and a server that records the requests, with or without TLS on the client's side.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use tokio_rustls::rustls::ServerConfig;

use crate::http_server::HttpServer;
use crate::issuer::CertificateAuthority;
use crate::stalling_proxy::forward;

/// A proxy to one server.
pub struct RecordingProxy {
    server: HttpServer,
    requests: Arc<Mutex<Vec<String>>>,
}

impl RecordingProxy {
    /// Starts a proxy to the server at this address, `HOST:PORT`.
    pub async fn start(address: &str) -> Self {
        Self::serve(address, None).await
    }

    /// The same over TLS, with a certificate of this authority for 127.0.0.1.
    pub async fn start_tls(address: &str, authority: &CertificateAuthority) -> Self {
        Self::serve(address, Some(Arc::new(authority.server_config("127.0.0.1")))).await
    }

    async fn serve(address: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let server = format!("http://{address}");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&requests);
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let handler = move |request: Request<Bytes>| {
            let line = format!("{} {}", request.method(), request.uri().path());
            record.lock().expect("no panic").push(line);
            let (server, client) = (server.clone(), client.clone());
            async move { forward(&client, &server, request).await }
        };
        Self { server: HttpServer::start_with(tls, handler).await, requests }
    }

    /// Its address, as `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.server.address.to_string()
    }

    /// The requests since the last look, each as method and path.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().expect("no panic"))
    }
}
