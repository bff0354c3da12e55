//! A token as Keystone describes it: its user, project, roles, expiry and service catalog.

use http::StatusCode;
use serde_json::{Value, json};

use super::catalog::catalog_json;
use crate::auth::{AuthError, Authenticator, Bearer};
use crate::domain::{Caller, DirectoryEntry, Role, TenantId, Timestamp, authorize_project};
use crate::http::{ApiError, AuthenticatedRequest};

/// The header with the token that a request is about, or that was issued.
pub(super) const SUBJECT_TOKEN_HEADER: &str = "x-subject-token";

/// The domain of users, and of projects that are not in the directory. Clients require one.
pub(super) const DEFAULT_DOMAIN: &str = "default";

/// The default domain's id and name.
pub(super) const DEFAULT_DOMAIN_NAMES: [&str; 2] = [DEFAULT_DOMAIN, "Default"];

/// What the description of a token is made from.
pub(super) struct TokenDescription<'a> {
    /// How the caller authenticated.
    pub(super) method: &'static str,
    /// The caller that the token acts for.
    pub(super) caller: &'a Caller,
    /// When the token was issued.
    pub(super) issued: Timestamp,
    /// When the token expires.
    pub(super) expires: Timestamp,
    /// The base URL of the service, as the client sees it.
    pub(super) address: &'a str,
    /// The region of the deployment.
    pub(super) region: &'a str,
}

impl TokenDescription<'_> {
    /// `{"token":{…}}`.
    pub(super) fn to_json(&self) -> Value {
        let caller = self.caller;
        let user = caller.user.as_deref().unwrap_or(caller.tenant.as_str());
        let roles = caller.role.included();
        let role = |role: Role| json!({ "id": role.name(), "name": role.name() });
        json!({ "token": {
            "methods": [self.method],
            "user": { "id": user, "name": user, "domain": default_domain(), "password_expires_at": null },
            "project": { "id": caller.tenant.as_str(), "name": caller.tenant.as_str(), "domain": default_domain() },
            "is_domain": false,
            "roles": roles.map(role).collect::<Vec<_>>(),
            "audit_ids": [],
            "issued_at": format_micros(self.issued),
            "expires_at": format_micros(self.expires),
            "catalog": catalog_json(self.address, self.region),
        } })
    }
}

/// A project as Keystone describes it.
pub(super) struct Project {
    /// The project's id.
    pub(super) id: TenantId,
    /// The project's name in the directory, or else its id.
    pub(super) name: String,
    /// The account's name in the directory, or else the default domain.
    pub(super) domain: String,
}

impl Project {
    /// The project as JSON.
    pub(super) fn to_json(&self, address: &str) -> Value {
        let Self { id, name, domain } = self;
        json!({
            "id": id.as_str(),
            "name": name,
            "domain_id": domain,
            "parent_id": domain,
            "description": "",
            "enabled": true,
            "is_domain": false,
            "tags": [],
            "options": {},
            "links": { "self": format!("{address}/v3/projects/{id}") },
        })
    }
}

impl From<TenantId> for Project {
    /// A project that is not in the directory.
    fn from(id: TenantId) -> Self {
        Self { name: id.as_str().to_owned(), id, domain: DEFAULT_DOMAIN.to_owned() }
    }
}

impl From<DirectoryEntry> for Project {
    fn from(entry: DirectoryEntry) -> Self {
        let (name, domain) = (entry.project.to_string(), entry.account.to_string());
        Self { id: entry.tenant, name, domain }
    }
}

/// The token in `X-Subject-Token`, and its bearer. Fails with 400 without the header, and with 404 if the token is
/// invalid or of another project.
pub(super) async fn subject_token<'a>(
    authenticator: &Authenticator,
    request: &'a AuthenticatedRequest,
    now: Timestamp,
) -> Result<(&'a str, Bearer), ApiError> {
    let subject = request.raw_header(SUBJECT_TOKEN_HEADER).and_then(|token| std::str::from_utf8(token).ok());
    let subject = subject.ok_or_else(|| ApiError::malformed("X-Subject-Token: expected a token."))?.trim();
    match authenticator.token_bearer(subject, &request.app.store, now).await {
        Ok(bearer) if authorize_project(request.caller(), &bearer.caller.tenant).is_ok() => {
            Ok((subject, bearer))
        }
        Ok(_) | Err(AuthError::Credential(_)) => Err(token_not_found()),
        Err(AuthError::Store(problem)) => Err(problem.into()),
        Err(AuthError::IssuerUnavailable(problem)) => Err(ApiError::issuer_unavailable(&problem)),
    }
}

/// 404: the token in `X-Subject-Token` is invalid, or of another project.
pub(super) fn token_not_found() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "IMG.0087",
        "X-Subject-Token: your project has no such token, or it is no longer valid.",
    )
}

fn default_domain() -> Value {
    json!({ "id": DEFAULT_DOMAIN, "name": "Default" })
}

/// The latest time that clients can parse: 9999-12-31T23:59:59.999Z, in milliseconds.
const MAX_TIMESTAMP_MILLIS: i64 = 253_402_300_799_999;

/// Formats a time as Keystone does in tokens: `2026-11-21T22:46:56.123000Z`.
fn format_micros(moment: Timestamp) -> String {
    let moment = moment.min(Timestamp::from_unix_millis(MAX_TIMESTAMP_MILLIS));
    format!("{}000Z", moment.to_iso_millis().trim_end_matches('Z'))
}
