//! Tokens of an OpenStack Keystone: this service cannot read them, so it asks the one who issued them.
//!
//! The token itself is the credential that asks about itself (`GET /v3/auth/tokens`), which Keystone's own policy allows,
//! so that the service needs no account there. The rules of the application credential that it was got with come along, and are
//! enforced ([`access_rules`]). A token of the whole system is an administrator's, or acts for no project. What a token was found to be is remembered for a minute, by its hash; that
//! is how long a revoked token may go on working. That it is none is remembered for ten seconds, so that a client which
//! goes on sending it does not have Keystone asked each time; apart from the good ones, which no flood of made-up tokens
//! is to push out.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::access_rules::{self, AccessRules};
use super::bearer::Bearer;
use super::certificate_authorities::CertificateAuthorities;
use super::error::{AuthError, CredentialError};
use super::issuer_client::{BadUrl, IssuerClient};
use super::token_hash::TokenHash;
use super::ttl_cache::TtlCache;
use crate::domain::{Caller, ID_FORMAT, Role, SYSTEM_PROJECT, TenantId, Timestamp};

/// How long a token is remembered, unless it expires before.
const TOKEN_TTL: Duration = Duration::from_mins(1);

/// How long it is remembered that a token is none.
const INVALID_TOKEN_TTL: Duration = Duration::from_secs(10);

/// The most tokens that are remembered, of either kind.
const MAX_CACHED_TOKENS: usize = 10_000;

/// Where tokens are asked about, and revoked.
const TOKENS_PATH: &str = "/v3/auth/tokens";

/// A Keystone, and the tokens that it was asked about lately.
#[derive(Debug)]
pub(super) struct Keystone {
    client: IssuerClient,
    valid_tokens: TtlCache<TokenHash, Bearer, Timestamp, MAX_CACHED_TOKENS>,
    invalid_tokens: TtlCache<TokenHash, (), Timestamp, MAX_CACHED_TOKENS>,
}

impl Keystone {
    /// The Keystone at that address, which may end in `/v3` or not.
    pub(super) fn new(url: &str, authorities: &CertificateAuthorities) -> Result<Self, BadUrl> {
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix("/v3").unwrap_or(url);
        let issuer = IssuerClient::new(url, authorities)?;
        Ok(Self { client: issuer, valid_tokens: TtlCache::default(), invalid_tokens: TtlCache::default() })
    }

    /// Whose token that is.
    pub(super) async fn bearer(&self, token: &str, now: Timestamp) -> Result<Bearer, AuthError> {
        let hash = TokenHash::from_token(token);
        if let Some(bearer) = self.valid_tokens.get(&hash, now) {
            return Ok(bearer);
        }
        if self.invalid_tokens.get(&hash, now).is_some() {
            return Err(CredentialError::UnknownToken.into());
        }
        let found = self.fetch_bearer(token, now).await;
        match &found {
            Ok(bearer) => {
                self.valid_tokens.insert(hash, bearer.clone(), now..bearer.expires.min(now.plus(TOKEN_TTL)));
            }
            Err(AuthError::Credential(CredentialError::UnknownToken)) => {
                self.invalid_tokens.insert(hash, (), now..now.plus(INVALID_TOKEN_TTL));
            }
            Err(_) => {}
        }
        found
    }

    /// Has Keystone revoke a token, which may revoke itself, and knows from then on that it is none.
    pub(super) async fn revoke(&self, token: &str, now: Timestamp) -> Result<(), AuthError> {
        let headers = [("x-auth-token", token), ("x-subject-token", token)];
        let (status, _) =
            self.client.delete(TOKENS_PATH, &headers).await.map_err(AuthError::IssuerUnavailable)?;
        match status {
            204 => {}
            401 | 404 => return Err(CredentialError::UnknownToken.into()),
            _ => return Err(AuthError::IssuerUnavailable(format!("Keystone answered {status}"))),
        }
        let hash = TokenHash::from_token(token);
        self.valid_tokens.remove(&hash);
        self.invalid_tokens.insert(hash, (), now..now.plus(INVALID_TOKEN_TTL));
        Ok(())
    }

    async fn fetch_bearer(&self, token: &str, now: Timestamp) -> Result<Bearer, AuthError> {
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CredentialError::Malformed.into());
        }
        let headers = [
            ("x-auth-token", token),
            ("x-subject-token", token),
            ("accept", "application/json"),
            access_rules::HEADER,
        ];
        let (status, body) =
            self.client.get(TOKENS_PATH, &headers).await.map_err(AuthError::IssuerUnavailable)?;
        match status {
            200 => {}
            401 | 404 => return Err(CredentialError::UnknownToken.into()),
            _ => return Err(AuthError::IssuerUnavailable(format!("Keystone answered {status}"))),
        }
        let answer: TokenResponse = serde_json::from_slice(&body).map_err(|problem| {
            AuthError::IssuerUnavailable(format!("Keystone's answer cannot be read: {problem}"))
        })?;
        answer.token.into_bearer(now)
    }
}

#[derive(Deserialize)]
struct TokenResponse {
    token: KeystoneToken,
}

#[derive(Deserialize)]
struct KeystoneToken {
    issued_at: Option<String>,
    expires_at: String,
    project: Option<Project>,
    user: Option<EntityRef>,
    #[serde(default)]
    roles: Vec<EntityRef>,
    system: Option<SystemScope>,
    application_credential: Option<ApplicationCredential>,
}

/// Whether the token is for the whole system.
#[derive(Deserialize)]
struct SystemScope {
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
struct ApplicationCredential {
    access_rules: Option<AccessRules>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
    domain: Option<EntityRef>,
}

#[derive(Deserialize)]
struct EntityRef {
    id: Option<String>,
    name: Option<String>,
}

impl KeystoneToken {
    /// Who bears it.
    fn into_bearer(self, now: Timestamp) -> Result<Bearer, AuthError> {
        let expires = parse_time(&self.expires_at)
            .ok_or_else(|| AuthError::IssuerUnavailable("Keystone's expires_at is no time".to_owned()))?;
        if expires <= now {
            return Err(CredentialError::Expired.into());
        }
        let is_of_system = self.system.is_some_and(|system| system.all);
        let roles = self.roles.iter().filter_map(|role| Role::from_name(role.name.as_deref()?));
        let role = roles.max();
        let (tenant, account) = match self.project {
            Some(project) => (project.id, project.domain.and_then(|domain| domain.id)),
            None if is_of_system && role == Some(Role::Admin) => (SYSTEM_PROJECT.to_owned(), None),
            None => return Err(CredentialError::NoProject.into()),
        };
        let malformed =
            |_| CredentialError::InvalidClaim { claim: "project.id".to_owned(), expected: ID_FORMAT };
        let caller = Caller {
            tenant: TenantId::try_from(tenant).map_err(malformed)?,
            account,
            user: self.user.and_then(|user| user.id),
            access_key: None,
            role: role.ok_or(CredentialError::NoRole)?,
        };
        let issued = self.issued_at.as_deref().and_then(parse_time);
        let access_rules = self.application_credential.and_then(|credential| credential.access_rules);
        Ok(Bearer { caller, issued, expires, access_rules: access_rules.map(Arc::new) })
    }
}

/// A moment as Keystone writes it, with or without a fraction of a second.
fn parse_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_iso_seconds(&format!("{}Z", text.get(..19)?))
}
