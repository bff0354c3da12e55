//! The client of the commands that call a server over its own API.
//!
//! Only the server has the table open, so a command sends requests like any other client. For a local server it reads
//! the signing key and signs its own tokens, of the role admin and valid for a minute. For any other deployment it
//! takes a token from the environment, or endpoint and credential by a profile of the credentials file.

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
use imageshare_credentials::{Arguments, CredentialError, Found, Secret};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::cli::ServerLocation;
use crate::keys::{KeyError, SigningKey, TokenClaims};

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The variable that has a token for another deployment. It is not an argument, because every user of the machine can
/// see the arguments of a process.
pub const TOKEN: &str = "IMAGESHARE_TOKEN";

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The signing key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The token would be sent unencrypted.
    #[error("{server}: the token in {TOKEN} is sent over https:// only, or to this machine")]
    InsecureTransport {
        /// The server's address.
        server: Uri,
    },
    /// The server is not a local one, so it does not accept a token signed with a local key.
    #[error(
        "{server}: put a token in {TOKEN}; only local servers accept tokens signed with the key in --data"
    )]
    MissingToken {
        /// The server's address.
        server: Uri,
    },
    /// The server cannot be reached.
    #[error("no server answers at {server}: {problem}; start one with imageshare, or name it with --server")]
    Unreachable {
        /// The server's address.
        server: Uri,
        /// The root cause.
        problem: String,
    },
    /// The credential acts for another project than the named one.
    #[error("{credential} does not act for project {project}: use one of that project")]
    WrongProject {
        /// The credential.
        credential: TokenSource,
        /// The named project.
        project: TenantId,
    },
    /// A profile has no endpoint or no credential that can be used.
    #[error(transparent)]
    Profile(#[from] CredentialError),
    /// Arguments for a token that the command signs were given together with a token.
    #[error(
        "--account and --user go into a token that is made here, but there is another credential: omit them"
    )]
    PrincipalOptions,
    /// The response did not arrive in time.
    #[error("the server did not respond within 30 seconds")]
    Timeout,
    /// The server rejects the token.
    #[error("the server refuses {}: {}", .0, .0.advice())]
    TokenRejected(TokenSource),
    /// The server is busy, and says when to retry.
    #[error("{0}")]
    Busy(String),
    /// The server rejects the request.
    #[error("{0}")]
    Rejected(String),
    /// The response is not in the format of this service.
    #[error("the response is not from an imageshare server")]
    UnexpectedResponse,
}

/// The source of a token.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// Signed with the key in that data directory.
    DataDirectory(PathBuf),
    /// From [`TOKEN`].
    Environment,
    /// By the profile with this name.
    Profile(String),
}

impl TokenSource {
    /// What to do if the token is refused.
    fn advice(&self) -> &'static str {
        match self {
            Self::DataDirectory(_) => "name the server's own directory with --data",
            Self::Environment | Self::Profile(_) => "it may have expired, or be for another deployment",
        }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDirectory(data) => {
                write!(f, "the token that was made with the key in {}", data.display())
            }
            Self::Environment => write!(f, "the token in {TOKEN}"),
            Self::Profile(profile) => write!(f, "the credential of profile {profile}"),
        }
    }
}

/// The credential of a client.
enum Credential {
    Local(Box<TokenSigner>),
    Token(Secret),
    AccessKey(Box<KeySession>),
}

/// An access key, and the token that the service has issued for it.
struct KeySession {
    id: String,
    secret: Secret,
    token: Mutex<Option<Secret>>,
}

/// Signs the tokens for a local server.
struct TokenSigner {
    key: SigningKey,
    claims: TokenClaims,
}

/// A client of one server.
pub struct Client {
    server: Uri,
    connector: Connector,
    credential: Credential,
    source: TokenSource,
}

impl Client {
    /// Opens a client by a profile, if one is named, or with the token in the environment; without both, with tokens that have
    /// `claims`, for a local server.
    ///
    /// # Errors
    /// [`ClientError`] if there is no token, no signing key, or the token would be sent unencrypted.
    pub fn for_server(location: &ServerLocation, claims: TokenClaims) -> Result<Self, ClientError> {
        if let Some(profile) = &location.profile {
            return Self::with_profile(profile);
        }
        match env::var(TOKEN).ok().filter(|token| !token.is_empty()) {
            Some(token) => Self::with_token(&location.server, token),
            None => Self::local(&location.server, &location.data, claims),
        }
    }

    /// The source of the credential, unless it is that of a local server, which acts for any project.
    pub fn external_source(&self) -> Option<&TokenSource> {
        Some(&self.source).filter(|_| !matches!(self.credential, Credential::Local(_)))
    }

    /// Opens a client with the endpoint and the credential that the environment and a profile of the credentials file have.
    fn with_profile(profile: &str) -> Result<Self, ClientError> {
        let arguments = Arguments { profile: Some(profile.to_owned()), ..Arguments::default() };
        let Found { endpoint, credential, .. } =
            imageshare_credentials::find(&arguments, |name| env::var(name).ok())?;
        let source = TokenSource::Profile(profile.to_owned());
        let credential = match credential {
            imageshare_credentials::Credential::Token(token) => Credential::Token(token),
            imageshare_credentials::Credential::AccessKey { id, secret } => {
                Credential::AccessKey(Box::new(KeySession { id, secret, token: Mutex::default() }))
            }
        };
        Ok(Self::new(&endpoint, credential, source))
    }

    /// Opens a client of a local server, with tokens that have `claims`, signed with the key in its data directory.
    ///
    /// # Errors
    /// [`ClientError`] if there is no key, or the address is not `http`.
    pub fn local(server: &Uri, data: &Path, claims: TokenClaims) -> Result<Self, ClientError> {
        if server.scheme_str() != Some("http") {
            return Err(ClientError::MissingToken { server: server.clone() });
        }
        let key = SigningKey::load(data)?;
        let source = TokenSource::DataDirectory(data.to_owned());
        Ok(Self::new(server, Credential::Local(Box::new(TokenSigner { key, claims })), source))
    }

    /// Opens a client with a token.
    ///
    /// # Errors
    /// [`ClientError::InsecureTransport`] if the token would be sent unencrypted to another machine.
    pub fn with_token(server: &Uri, token: String) -> Result<Self, ClientError> {
        let is_loopback = matches!(server.host(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if server.scheme_str() == Some("https") || is_loopback {
            Ok(Self::new(server, Credential::Token(Secret::new(token)), TokenSource::Environment))
        } else {
            Err(ClientError::InsecureTransport { server: server.clone() })
        }
    }

    fn new(server: &Uri, credential: Credential, source: TokenSource) -> Self {
        Self { server: server.clone(), connector: connector(server), credential, source }
    }

    /// Sends one request. Returns the response's body; `null` if it has none.
    ///
    /// # Errors
    /// [`ClientError`] if the server cannot be reached, does not respond within 30 seconds, or refuses.
    pub async fn request(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let result = tokio::time::timeout(REQUEST_TIMEOUT, self.send(method, target, body)).await;
        let Reply { status, body, .. } = result.map_err(|_| ClientError::Timeout)??;
        self.check(status, &body)
    }

    /// The JSON of a response; an error if its status is one.
    fn check(&self, status: u16, body: &[u8]) -> Result<Value, ClientError> {
        let body = serde_json::from_slice(body).unwrap_or(Value::Null);
        let message = body.pointer("/error/message").and_then(Value::as_str).map(str::to_owned);
        match (status, message) {
            (200..300, _) => Ok(body),
            (401, _) => Err(ClientError::TokenRejected(self.source.clone())),
            (503, Some(message)) => Err(ClientError::Busy(message)),
            (_, Some(message)) => Err(ClientError::Rejected(message)),
            (_, None) => Err(ClientError::UnexpectedResponse),
        }
    }

    /// Sends a request with a token. A token of an access key that the service refuses, since it has expired, is replaced once.
    async fn send(&self, method: &str, target: &str, body: Option<&Value>) -> Result<Reply, ClientError> {
        match &self.credential {
            Credential::Local(signer) => {
                let token = Secret::new(signer.key.sign_token(&signer.claims)?);
                self.exchange(method, target, body, Some(&token)).await
            }
            Credential::Token(token) => self.exchange(method, target, body, Some(token)).await,
            Credential::AccessKey(session) => {
                let mut token = session.token.lock().await;
                if let Some(known) = &*token {
                    let reply = self.exchange(method, target, body, Some(known)).await?;
                    if reply.status != 401 {
                        return Ok(reply);
                    }
                }
                let issued = token.insert(self.issue_token(session).await?);
                self.exchange(method, target, body, Some(issued)).await
            }
        }
    }

    /// Has the service issue a token for an access key.
    async fn issue_token(&self, session: &KeySession) -> Result<Secret, ClientError> {
        let body = json!({"auth": {"identity": {
            "methods": ["application_credential"],
            "application_credential": {"id": session.id, "secret": session.secret.expose()},
        }}});
        let reply = self.exchange("POST", "/v3/auth/tokens", Some(&body), None).await?;
        self.check(reply.status, &reply.body)?;
        reply.subject_token.ok_or(ClientError::UnexpectedResponse)
    }

    /// Sends one request, with this token or without one.
    async fn exchange(
        &self,
        method: &str,
        target: &str,
        body: Option<&Value>,
        token: Option<&Secret>,
    ) -> Result<Reply, ClientError> {
        let mut request = Request::new(SdkBody::from(body.map(Value::to_string).unwrap_or_default()));
        let unexpected = |_| ClientError::UnexpectedResponse;
        request.set_method(method).map_err(|_| ClientError::UnexpectedResponse)?;
        let server = self.server.to_string();
        request.set_uri(format!("{}{target}", server.trim_end_matches('/'))).map_err(unexpected)?;
        if let Some(token) = token {
            let token = token.expose().to_owned();
            request.headers_mut().try_insert("x-auth-token", token).map_err(unexpected)?;
        }
        request.headers_mut().try_insert("content-type", "application/json").map_err(unexpected)?;
        let unreachable = |problem| ClientError::Unreachable { server: self.server.clone(), problem };
        let response = self.connector.call(request).await;
        let response = response.map_err(|problem| unreachable(root_cause(&problem)))?;
        let status = response.status().as_u16();
        let subject_token = response.headers().get("x-subject-token").map(Secret::new);
        let body = ByteStream::new(response.into_body()).collect().await;
        let body = body.map_err(|problem| unreachable(root_cause(&problem)))?.to_vec();
        Ok(Reply { status, subject_token, body })
    }
}

/// A response.
struct Reply {
    status: u16,
    /// The token that the service has issued.
    subject_token: Option<Secret>,
    body: Vec<u8>,
}

/// The connection to a server, with TLS if its address has it.
pub(crate) fn connector(server: &Uri) -> Connector {
    let builder = Connector::builder();
    match server.scheme_str() {
        Some("https") => builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build(),
        _ => builder.build_http(),
    }
}

/// The message of an error's root cause, usually the system's.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
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
