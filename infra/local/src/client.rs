//! Asks a server over its own API, for the commands that do so.
//!
//! The server alone has the table open, so a command cannot write there itself; and what it asks for goes the way of every
//! other request. Of a local server it may ask anything because it can read the signing key: it makes itself tokens of the
//! role admin, good for a minute. For any other deployment it is given a token.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use http::Uri;
use imageshare::domain::TenantId;
use serde_json::Value;

use crate::cli::ServerLocation;
use crate::keys::{KeyError, SigningKey, TokenClaims};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The variable that holds a token for a deployment elsewhere. A command line is seen by all users of the machine.
pub const TOKEN: &str = "IMAGESHARE_TOKEN";

/// Why nothing came of a request.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no signing key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token would pass in the clear.
    #[error("{server}: the token in {TOKEN} is sent over https:// only, or to this machine")]
    InsecureTransport {
        /// The server's address.
        server: Uri,
    },
    /// A deployment elsewhere takes no token of a local key.
    #[error("{server}: put a token in {TOKEN}; only local servers take one that is made from --data")]
    MissingToken {
        /// The server's address.
        server: Uri,
    },
    /// Nobody answers there.
    #[error("no server answers at {server}: {problem}; start one with imageshare, or name it with --server")]
    Unreachable {
        /// The server's address.
        server: Uri,
        /// What is in the way.
        problem: String,
    },
    /// The token acts for another project than the one that was named.
    #[error("the token in {TOKEN} does not act for project {0}: get one of that project")]
    WrongProject(TenantId),
    /// What goes into a token that the command makes was said, and the token was given.
    #[error("--account and --user go into a token that is made here, and {TOKEN} holds one: leave them out")]
    PrincipalOptions,
    /// The answer took too long.
    #[error("the server did not answer within 30 seconds")]
    Timeout,
    /// The server does not take the token.
    #[error("the server refuses the token {0}")]
    TokenRejected(TokenSource),
    /// The server is busy and asks to come again.
    #[error("{0}")]
    Busy(String),
    /// The server refused.
    #[error("{0}")]
    Rejected(String),
    /// The answer is none of this service's.
    #[error("the answer is not one of an imageshare server")]
    UnexpectedResponse,
}

/// Where a token comes from.
#[derive(Debug)]
pub enum TokenSource {
    /// It is made with the key in that directory.
    DataDirectory(PathBuf),
    /// It was given.
    Environment,
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDirectory(data) => write!(
                f,
                "that was made with the key in {}: name its own directory with --data",
                data.display()
            ),
            Self::Environment => write!(f, "in {TOKEN}: it may have expired, or be for another deployment"),
        }
    }
}

/// How a client says who it is.
enum Credential {
    Local(Box<TokenSigner>),
    External(String),
}

/// What a token is made from.
struct TokenSigner {
    key: SigningKey,
    claims: TokenClaims,
    data_directory: PathBuf,
}

/// Somebody who asks a server.
pub struct Client {
    server: Uri,
    connector: Connector,
    credential: Credential,
}

impl Client {
    /// Asks the server at that place: with the token that the environment holds, or else, where it is a local one, as that
    /// grant says.
    ///
    /// # Errors
    /// [`ClientError`] where there is no token to be had, or others could read it on its way.
    pub fn for_server(place: &ServerLocation, grant: TokenClaims) -> Result<Self, ClientError> {
        match env::var(TOKEN).ok().filter(|token| !token.is_empty()) {
            Some(token) => Self::with_token(&place.server, token),
            None => Self::local(&place.server, &place.data, grant),
        }
    }

    /// Whether the token was given, and may be of anybody.
    pub fn has_external_token(&self) -> bool {
        matches!(self.credential, Credential::External(_))
    }

    /// Asks a local server as that grant says, with tokens made from the key in its data directory.
    ///
    /// # Errors
    /// [`ClientError`] where there is no key, or the server is no local one.
    pub fn local(server: &Uri, data: &Path, grant: TokenClaims) -> Result<Self, ClientError> {
        if server.scheme_str() != Some("http") {
            return Err(ClientError::MissingToken { server: server.clone() });
        }
        let key = SigningKey::load(data)?;
        let maker = TokenSigner { key, claims: grant, data_directory: data.to_owned() };
        Ok(Self::new(server, Credential::Local(Box::new(maker))))
    }

    /// Asks a server with a token that was given.
    ///
    /// # Errors
    /// [`ClientError::InsecureTransport`] where others could read the token on its way.
    pub fn with_token(server: &Uri, token: String) -> Result<Self, ClientError> {
        let is_here = matches!(server.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if server.scheme_str() == Some("https") || is_here {
            Ok(Self::new(server, Credential::External(token)))
        } else {
            Err(ClientError::InsecureTransport { server: server.clone() })
        }
    }

    fn new(server: &Uri, credential: Credential) -> Self {
        let builder = Connector::builder();
        let connector = match server.scheme_str() {
            Some("https") => builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build(),
            _ => builder.build_http(),
        };
        Self { server: server.clone(), connector, credential }
    }

    /// Sends one request. Returns the body of the answer; `null` where it has none.
    ///
    /// # Errors
    /// [`ClientError`] says what is in the way.
    pub async fn request(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let answered = tokio::time::timeout(REQUEST_TIMEOUT, self.send(method, target, body)).await;
        let (status, body) = answered.map_err(|_| ClientError::Timeout)??;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let message = body.pointer("/error/message").and_then(Value::as_str).map(str::to_owned);
        match (status, message) {
            (200..300, _) => Ok(body),
            (401, _) => Err(ClientError::TokenRejected(match &self.credential {
                Credential::Local(maker) => TokenSource::DataDirectory(maker.data_directory.clone()),
                Credential::External(_) => TokenSource::Environment,
            })),
            (503, Some(message)) => Err(ClientError::Busy(message)),
            (_, Some(message)) => Err(ClientError::Rejected(message)),
            (_, None) => Err(ClientError::UnexpectedResponse),
        }
    }

    async fn send(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Vec<u8>), ClientError> {
        let token = match &self.credential {
            Credential::Local(maker) => maker.key.sign_token(&maker.claims)?,
            Credential::External(token) => token.clone(),
        };
        let mut request = Request::new(SdkBody::from(body.map(Value::to_string).unwrap_or_default()));
        let strange = |_| ClientError::UnexpectedResponse;
        request.set_method(method).map_err(|_| ClientError::UnexpectedResponse)?;
        let server = self.server.to_string();
        request.set_uri(format!("{}{target}", server.trim_end_matches('/'))).map_err(strange)?;
        request.headers_mut().try_insert("x-auth-token", token).map_err(strange)?;
        request.headers_mut().try_insert("content-type", "application/json").map_err(strange)?;
        let unreachable = |problem| ClientError::Unreachable { server: self.server.clone(), problem };
        let answer = self.connector.call(request).await;
        let answer = answer.map_err(|problem| unreachable(root_cause(&problem)))?;
        let status = answer.status().as_u16();
        let body = ByteStream::new(answer.into_body()).collect().await;
        Ok((status, body.map_err(|problem| unreachable(root_cause(&problem)))?.to_vec()))
    }
}

/// What is behind an error, in the system's words.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(cause) = root.source() {
        root = cause;
    }
    root.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_token_is_not_sent_over_plain_http() {
        let client = |server: &'static str| Client::with_token(&Uri::from_static(server), "t".to_owned());
        assert!(matches!(client("http://images.example"), Err(ClientError::InsecureTransport { .. })));
        for safe in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "https://images.example"]
        {
            assert!(client(safe).is_ok(), "{safe}");
        }
    }
}
