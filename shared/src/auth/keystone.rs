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

use super::access_rules;
use super::authorities::Authorities;
use super::issuer::{BadUrl, Issuer};
use super::token_hash::TokenHash;
use super::ttl_cache::TtlCache;
use super::{AccessRules, Bearer, NotAdmitted, Unauthenticated};
use crate::domain::{Caller, ID_FORM, Role, SYSTEM_PROJECT, TenantId, Timestamp};

/// How long a token is remembered, unless it expires before.
const IS_KEPT: Duration = Duration::from_mins(1);

/// How long it is remembered that a token is none.
const REFUSAL_IS_KEPT: Duration = Duration::from_secs(10);

/// The most tokens that are remembered, of either kind.
const MAX_TOKENS: usize = 10_000;

/// Where tokens are asked about, and revoked.
const PATH: &str = "/v3/auth/tokens";

/// A Keystone, and the tokens that it was asked about lately.
#[derive(Debug)]
pub(super) struct Keystone {
    issuer: Issuer,
    good: TtlCache<TokenHash, Bearer, Timestamp, MAX_TOKENS>,
    none: TtlCache<TokenHash, (), Timestamp, MAX_TOKENS>,
}

impl Keystone {
    /// The Keystone at that address, which may end in `/v3` or not.
    pub(super) fn new(url: &str, authorities: &Authorities) -> Result<Self, BadUrl> {
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix("/v3").unwrap_or(url);
        let issuer = Issuer::new(url, authorities)?;
        Ok(Self { issuer, good: TtlCache::default(), none: TtlCache::default() })
    }

    /// Whose token that is.
    pub(super) async fn bearer(&self, token: &str, now: Timestamp) -> Result<Bearer, NotAdmitted> {
        let hash = TokenHash::of(token);
        if let Some(bearer) = self.good.get(&hash, now) {
            return Ok(bearer);
        }
        if self.none.get(&hash, now).is_some() {
            return Err(Unauthenticated::NotIssued.into());
        }
        let found = self.ask(token, now).await;
        match &found {
            Ok(bearer) => self.good.put(hash, bearer.clone(), now..bearer.expires.min(now.plus(IS_KEPT))),
            Err(NotAdmitted::Unauthenticated(Unauthenticated::NotIssued)) => {
                self.none.put(hash, (), now..now.plus(REFUSAL_IS_KEPT));
            }
            Err(_) => {}
        }
        found
    }

    /// Has Keystone revoke a token, which may revoke itself, and knows from then on that it is none.
    pub(super) async fn revoke(&self, token: &str, now: Timestamp) -> Result<(), NotAdmitted> {
        let headers = [("x-auth-token", token), ("x-subject-token", token)];
        let (status, _) = self.issuer.delete(PATH, &headers).await.map_err(NotAdmitted::Issuer)?;
        match status {
            204 => {}
            401 | 404 => return Err(Unauthenticated::NotIssued.into()),
            _ => return Err(NotAdmitted::Issuer(format!("Keystone answered {status}"))),
        }
        let hash = TokenHash::of(token);
        self.good.remove(&hash);
        self.none.put(hash, (), now..now.plus(REFUSAL_IS_KEPT));
        Ok(())
    }

    async fn ask(&self, token: &str, now: Timestamp) -> Result<Bearer, NotAdmitted> {
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Unauthenticated::Malformed.into());
        }
        let headers = [
            ("x-auth-token", token),
            ("x-subject-token", token),
            ("accept", "application/json"),
            access_rules::HEADER,
        ];
        let (status, body) = self.issuer.get(PATH, &headers).await.map_err(NotAdmitted::Issuer)?;
        match status {
            200 => {}
            401 | 404 => return Err(Unauthenticated::NotIssued.into()),
            _ => return Err(NotAdmitted::Issuer(format!("Keystone answered {status}"))),
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|problem| NotAdmitted::Issuer(format!("Keystone's answer cannot be read: {problem}")))?;
        answer.token.read(now)
    }
}

#[derive(Deserialize)]
struct Answer {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    issued_at: Option<String>,
    expires_at: String,
    project: Option<Project>,
    user: Option<Named>,
    #[serde(default)]
    roles: Vec<Named>,
    system: Option<System>,
    application_credential: Option<ApplicationCredential>,
}

/// Whether the token is for the whole system.
#[derive(Deserialize)]
struct System {
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
    domain: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: Option<String>,
    name: Option<String>,
}

impl Token {
    /// Who bears it.
    fn read(self, now: Timestamp) -> Result<Bearer, NotAdmitted> {
        let expires = moment(&self.expires_at)
            .ok_or_else(|| NotAdmitted::Issuer("Keystone's expires_at is no time".to_owned()))?;
        if expires <= now {
            return Err(Unauthenticated::Expired.into());
        }
        let is_of_system = self.system.is_some_and(|system| system.all);
        let roles = self.roles.iter().filter_map(|role| Role::from_name(role.name.as_deref()?));
        let role = roles.max();
        let (tenant, account) = match self.project {
            Some(project) => (project.id, project.domain.and_then(|domain| domain.id)),
            None if is_of_system && role == Some(Role::Admin) => (SYSTEM_PROJECT.to_owned(), None),
            None => return Err(Unauthenticated::NoProject.into()),
        };
        let malformed = |_| Unauthenticated::BadClaim { claim: "project.id".to_owned(), expected: ID_FORM };
        let caller = Caller {
            tenant: TenantId::try_from(tenant).map_err(malformed)?,
            account,
            user: self.user.and_then(|user| user.id),
            access_key: None,
            role: role.ok_or(Unauthenticated::NoRole)?,
        };
        let issued = self.issued_at.as_deref().and_then(moment);
        let access_rules = self.application_credential.and_then(|credential| credential.access_rules);
        Ok(Bearer { caller, issued, expires, access_rules: access_rules.map(Arc::new) })
    }
}

/// A moment as Keystone writes it, with or without a fraction of a second.
fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::parse_seconds_text(&format!("{}Z", text.get(..19)?))
}
