//! Tokens of an OpenStack Keystone. They are opaque, so each is verified by a request to Keystone.
//!
//! * The token authenticates the request about itself (`GET /v3/auth/tokens`). Keystone's default policy allows that,
//!   so the service needs no account there.
//! * If the token belongs to an application credential, the response has its access rules, which are enforced
//!   ([`access_rules`]).
//! * A system-scoped token is a system administrator's if it has the role admin. Otherwise it acts for no project.
//! * A valid token is cached for a minute, by its hash. For as long, a revoked token may still work.
//! * An invalid token is cached for ten seconds, so that a client that keeps sending it does not cause a request each
//!   time. It has its own cache, so that a flood of made-up tokens does not evict the valid ones.

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

/// How long a valid token is cached, unless it expires earlier.
const TOKEN_TTL: Duration = Duration::from_mins(1);

/// How long an invalid token is cached.
const INVALID_TOKEN_TTL: Duration = Duration::from_secs(10);

/// The capacity of each cache.
const MAX_CACHED_TOKENS: usize = 10_000;

/// The path that describes and revokes tokens.
const TOKENS_PATH: &str = "/v3/auth/tokens";

/// A Keystone, with the caches of its valid and invalid tokens.
#[derive(Debug)]
pub(super) struct Keystone {
    client: IssuerClient,
    valid_tokens: TtlCache<TokenHash, Bearer, Timestamp, MAX_CACHED_TOKENS>,
    invalid_tokens: TtlCache<TokenHash, (), Timestamp, MAX_CACHED_TOKENS>,
}

impl Keystone {
    /// Creates a client for the Keystone at a URL, with or without a final `/v3`.
    pub(super) fn new(url: &str, authorities: &CertificateAuthorities) -> Result<Self, BadUrl> {
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix("/v3").unwrap_or(url);
        let client = IssuerClient::new(url, authorities)?;
        Ok(Self { client, valid_tokens: TtlCache::default(), invalid_tokens: TtlCache::default() })
    }

    /// Returns the bearer of a token. Costs one request to Keystone, or none if the token is cached.
    ///
    /// # Errors
    /// [`CredentialError`] if the token is unknown, expired, or without a project or role;
    /// [`AuthError::IssuerUnavailable`] if Keystone does not answer, or not usefully.
    pub(super) async fn bearer(&self, token: &str, now: Timestamp) -> Result<Bearer, AuthError> {
        let hash = TokenHash::from_token(token);
        if let Some(bearer) = self.valid_tokens.get(&hash, now) {
            return Ok(bearer);
        }
        if self.invalid_tokens.get(&hash, now).is_some() {
            return Err(CredentialError::UnknownToken.into());
        }
        let result = self.fetch_bearer(token, now).await;
        match &result {
            Ok(bearer) => {
                self.valid_tokens.insert(hash, bearer.clone(), now..bearer.expires.min(now.plus(TOKEN_TTL)));
            }
            Err(AuthError::Credential(CredentialError::UnknownToken)) => {
                self.invalid_tokens.insert(hash, (), now..now.plus(INVALID_TOKEN_TTL));
            }
            Err(_) => {}
        }
        result
    }

    /// Asks Keystone to revoke a token, which authenticates its own revocation, and caches it as invalid. One request.
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
        let response: TokenResponse = serde_json::from_slice(&body).map_err(|problem| {
            AuthError::IssuerUnavailable(format!("Keystone's response cannot be parsed: {problem}"))
        })?;
        response.token.into_bearer(now)
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

/// The system scope of a token; `all` is the only one that Keystone has.
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
    /// Translates Keystone's description into a bearer.
    fn into_bearer(self, now: Timestamp) -> Result<Bearer, AuthError> {
        let expires = parse_time(&self.expires_at)
            .ok_or_else(|| AuthError::IssuerUnavailable("Keystone's expires_at is not a time".to_owned()))?;
        if expires <= now {
            return Err(CredentialError::Expired.into());
        }
        let is_system_scoped = self.system.is_some_and(|system| system.all);
        let roles = self.roles.iter().filter_map(|role| Role::from_name(role.name.as_deref()?));
        let role = roles.max();
        let (tenant, account) = match self.project {
            Some(project) => (project.id, project.domain.and_then(|domain| domain.id)),
            None if is_system_scoped && role == Some(Role::Admin) => (SYSTEM_PROJECT.to_owned(), None),
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

/// Parses a time as Keystone writes it, with or without a fraction of a second, which is dropped.
fn parse_time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_iso_seconds(&format!("{}Z", text.get(..19)?))
}
