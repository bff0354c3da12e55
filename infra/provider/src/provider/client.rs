//! A client of the service, just enough for vaults: one connection for each request, without retries.

use std::time::Duration;

use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::diagnostic::Diagnostic;

/// How long a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A client with an endpoint and a token.
pub struct Client {
    authority: String,
    token: String,
}

/// Why a request has no good response.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The endpoint is not one.
    #[error("expected a URL such as http://127.0.0.1:8080")]
    Endpoint,
    /// The service cannot be reached.
    #[error("the service cannot be reached: {0}")]
    Unreachable(String),
    /// The service has refused.
    #[error("{message} ({code}, HTTP {})", status.as_u16())]
    Refused {
        /// The status.
        status: StatusCode,
        /// The code of the error.
        code: String,
        /// The message of the error.
        message: String,
    },
}

impl From<ClientError> for Diagnostic {
    fn from(problem: ClientError) -> Self {
        Self::error("The service did not do it", problem.to_string())
    }
}

impl Client {
    /// A client. Nothing is sent yet.
    pub fn new(endpoint: &str, token: &str) -> Result<Self, ClientError> {
        let uri: Uri = endpoint.parse().map_err(|_| ClientError::Endpoint)?;
        let authority = uri.authority().ok_or(ClientError::Endpoint)?.to_string();
        Ok(Self { authority, token: token.to_owned() })
    }

    /// Sends a request. A response without a body is null.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ClientError> {
        let unreachable = |problem: &dyn ToString| ClientError::Unreachable(problem.to_string());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", &self.authority)
            .header("X-Auth-Token", &self.token)
            .header("Content-Type", "application/json")
            .body(Full::new(Bytes::from(body.map(Value::to_string).unwrap_or_default())))
            .map_err(|problem| unreachable(&problem))?;
        let exchange = async {
            let stream =
                TcpStream::connect(&self.authority).await.map_err(|problem| unreachable(&problem))?;
            let handshake = http1::handshake(TokioIo::new(stream)).await;
            let (mut sender, connection) = handshake.map_err(|problem| unreachable(&problem))?;
            tokio::spawn(connection);
            let response = sender.send_request(request).await.map_err(|problem| unreachable(&problem))?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(|problem| unreachable(&problem))?;
            Ok((status, serde_json::from_slice(&body.to_bytes()).unwrap_or_default()))
        };
        let (status, body): (StatusCode, Value) =
            timeout(REQUEST_TIMEOUT, exchange).await.map_err(|problem| unreachable(&problem))??;
        if status.is_success() {
            return Ok(body);
        }
        let member = |name: &str| body.get("error").and_then(|error| error.get(name));
        let text = |name: &str| member(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Err(ClientError::Refused { status, code: text("code"), message: text("message") })
    }

    /// Sends a request for something that may not exist.
    pub async fn find(&self, path: &str) -> Result<Option<Value>, ClientError> {
        match self.send(Method::GET, path, None).await {
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            result => result.map(Some),
        }
    }
}
