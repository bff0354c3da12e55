//! A proxy between a client and a server that never responds to a request of the test's choice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::Notify;

use crate::http_server::HttpServer;

/// A proxy to one server.
pub struct StallingProxy {
    server: HttpServer,
    stalled: Arc<Notify>,
}

impl StallingProxy {
    /// Starts a proxy to a server. Of the requests with this method it forwards only the first `most`, of others all.
    pub async fn start(address: &str, method: &'static str, most: usize) -> Self {
        let (server, count) = (format!("http://{address}"), Arc::new(AtomicUsize::new(0)));
        let stall = Arc::new(Notify::new());
        let on_stall = Arc::clone(&stall);
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let server = HttpServer::start(move |request: Request<Bytes>| {
            let (server, client, count, on_stall) =
                (server.clone(), client.clone(), Arc::clone(&count), Arc::clone(&on_stall));
            async move {
                if request.method() == method && count.fetch_add(1, Ordering::SeqCst) >= most {
                    on_stall.notify_one();
                    std::future::pending::<()>().await;
                }
                forward(&client, &server, request).await
            }
        })
        .await;
        Self { server, stalled: stall }
    }

    /// Its address, as `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.server.address.to_string()
    }

    /// Waits until a client is stalled.
    pub async fn wait_until_stalled(&self) {
        self.stalled.notified().await;
    }
}

/// Sends a request to a server, `http://HOST:PORT`, and returns its response.
pub(crate) async fn forward(
    client: &reqwest::Client,
    server: &str,
    request: Request<Bytes>,
) -> Response<Bytes> {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut headers = head.headers;
    headers.remove(http::header::HOST);
    let forwarded = client.request(head.method, format!("{server}{target}")).headers(headers).body(body);
    let response = forwarded.send().await.expect("the server responds");
    let mut reply = Response::new(Bytes::new());
    *reply.status_mut() = response.status();
    *reply.headers_mut() = response.headers().clone();
    // This side frames the body on its own.
    reply.headers_mut().remove(http::header::TRANSFER_ENCODING);
    reply.headers_mut().remove(http::header::CONNECTION);
    *reply.body_mut() = response.bytes().await.expect("a whole response");
    reply
}
