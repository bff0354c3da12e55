//! The token that calls are sent with.
//!
//! A token that was given is used as it is. For an access key the service issues one, at the first call; it is renewed
//! before it ends, and at once if the service refuses it, since a key's token may have been revoked.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::sender::{Sender, error_of, unreadable};
use super::transport::{Response, header_text};
use super::{ApiError, Call, Credential, ErrorKind, Secret};

/// How long before its end a token is renewed, at most; of a short-lived one, when a fifth of its life is left.
const RENEWAL_MARGIN: Duration = Duration::from_mins(5);

/// A token that was issued for an access key.
#[derive(Clone)]
pub struct IssuedToken {
    /// The token.
    pub token: Secret,
    /// The project that it acts for.
    pub project_id: String,
    /// When it ends, as the service says it.
    pub expires_at: String,
    renew_at: Instant,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("project_id", &self.project_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// A credential with its current token.
pub(super) struct Session {
    credential: Credential,
    issued: Mutex<Option<IssuedToken>>,
}

#[derive(Deserialize)]
struct TokenBody {
    token: TokenMembers,
}

#[derive(Deserialize)]
struct TokenMembers {
    project: Project,
    issued_at: String,
    expires_at: String,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

impl Session {
    pub(super) fn new(credential: Credential) -> Self {
        Self { credential, issued: Mutex::default() }
    }

    /// The token for a call. Calls that need a new one at the same time wait for the same one.
    pub(super) async fn token(&self, sender: &Sender) -> Result<Secret, ApiError> {
        match &self.credential {
            Credential::Token(token) => Ok(token.clone()),
            Credential::AccessKey { .. } => Ok(self.issued(sender).await?.token),
        }
    }

    /// A token in place of one that the service has refused; `None` if there is no other.
    pub(super) async fn replace(
        &self,
        refused: &Secret,
        sender: &Sender,
    ) -> Result<Option<Secret>, ApiError> {
        let Credential::AccessKey { id, secret } = &self.credential else { return Ok(None) };
        let mut issued = self.issued.lock().await;
        match &*issued {
            // Another call has replaced it meanwhile.
            Some(other) if other.token != *refused => Ok(Some(other.token.clone())),
            _ => {
                let token = issue(id, secret, sender).await?;
                Ok(Some(issued.insert(token).token.clone()))
            }
        }
    }

    /// The project that the credential acts for.
    pub(super) async fn project(&self, sender: &Sender) -> Result<String, ApiError> {
        match &self.credential {
            Credential::AccessKey { .. } => Ok(self.issued(sender).await?.project_id),
            Credential::Token(token) => {
                let call = Call::get("/v3/auth/tokens", &[]).about_token(token.clone());
                let response = sender.begin(&call).send(Some(token)).await?;
                Ok(read(&response, &call)?.project.id)
            }
        }
    }

    /// Another token for the access key, beside the one that calls are sent with.
    pub(super) async fn issue_another(&self, sender: &Sender) -> Result<IssuedToken, ApiError> {
        match &self.credential {
            Credential::AccessKey { id, secret } => issue(id, secret, sender).await,
            Credential::Token(_) => {
                let message = "The provider has a token and no access key, and a token cannot be multiplied. Give access_key_id and secret_access_key.";
                Err(ApiError::local(ErrorKind::Unauthorized, message, "POST /v3/auth/tokens".to_owned()))
            }
        }
    }

    async fn issued(&self, sender: &Sender) -> Result<IssuedToken, ApiError> {
        let Credential::AccessKey { id, secret } = &self.credential else {
            return Err(ApiError::local(ErrorKind::Unauthorized, "There is no access key.", String::new()));
        };
        let mut issued = self.issued.lock().await;
        match &*issued {
            Some(token) if Instant::now() < token.renew_at => Ok(token.clone()),
            _ => Ok(issued.insert(issue(id, secret, sender).await?).clone()),
        }
    }
}

/// Has the service issue a token for an access key.
pub(super) async fn issue(id: &str, secret: &Secret, sender: &Sender) -> Result<IssuedToken, ApiError> {
    let body = json!({"auth": {"identity": {
        "methods": ["application_credential"],
        "application_credential": {"id": id, "secret": secret.expose()},
    }}});
    // A token more is harmless, so the call is repeatable as it is with a key.
    let call = Call::post("/v3/auth/tokens", &[]).json(&body).idempotent();
    let begin = Instant::now();
    let response = sender.begin(&call).send(None).await?;
    let token = read(&response, &call)?;
    let Some(text) = header_text(&response.headers, "x-subject-token") else {
        let message = "The response has no token: check that endpoint is an imageshare server.";
        return Err(ApiError::local(ErrorKind::UnexpectedResponse, message, call.name()));
    };
    let renew_at = begin + time_to_renewal(&token.issued_at, &token.expires_at);
    Ok(IssuedToken {
        token: Secret::new(text),
        project_id: token.project.id,
        expires_at: token.expires_at,
        renew_at,
    })
}

fn read(response: &Response, call: &Call) -> Result<TokenMembers, ApiError> {
    if !response.status.is_success() {
        return Err(error_of(response, call, None));
    }
    let body: Result<TokenBody, _> = serde_json::from_slice(&response.body);
    body.map(|body| body.token).map_err(|problem| unreadable(&problem, response, call))
}

/// How long a token is used, by its own times, so that the clock of this machine does not matter.
fn time_to_renewal(issued_at: &str, expires_at: &str) -> Duration {
    let parse = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    let lifetime = parse(issued_at).zip(parse(expires_at)).map(|(from, to)| to - from);
    let lifetime = lifetime.and_then(|lifetime| Duration::try_from(lifetime).ok()).unwrap_or_default();
    lifetime.saturating_sub(RENEWAL_MARGIN.min(lifetime / 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_renewed_before_it_ends() {
        let after = |to| time_to_renewal("2026-11-30T10:00:00.000000Z", to).as_secs();
        assert_eq!(after("2026-11-30T11:00:00.000000Z"), 55 * 60);
        assert_eq!(after("2026-11-30T10:00:10Z"), 8);
        assert_eq!(after("2026-11-30T09:00:00Z"), 0);
        assert_eq!(after("soon"), 0);
    }
}
