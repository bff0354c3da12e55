//! Tokens of an OpenStack Keystone: this service cannot read them, so it asks the one who issued them.
//!
//! The token itself is the credential that asks about itself (`GET /v3/auth/tokens`), which Keystone's own policy allows,
//! so that the service needs no account there. What a token was found to be is remembered for a minute, by its hash; that
//! is how long a revoked token may go on working.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::issuer::{BadUrl, Issuer};
use super::{NotAdmitted, Unauthenticated};
use crate::domain::{Caller, ID_FORM, Role, TenantId, Timestamp};

/// How long a token is remembered, unless it expires before.
const IS_KEPT: Duration = Duration::from_mins(1);

/// How many are remembered at a time; above that all are forgotten.
const MOST_KEPT: usize = 10_000;

/// A Keystone, and the tokens that it was asked about lately.
#[derive(Debug)]
pub(super) struct Keystone {
    issuer: Issuer,
    known: Mutex<HashMap<[u8; 32], (Caller, Timestamp)>>,
}

impl Keystone {
    /// The Keystone at that address, which may end in `/v3` or not.
    pub(super) fn new(url: &str) -> Result<Self, BadUrl> {
        let url = url.trim_end_matches('/');
        let url = url.strip_suffix("/v3").unwrap_or(url);
        Ok(Self { issuer: Issuer::new(url)?, known: Mutex::default() })
    }

    /// Whose token that is.
    pub(super) async fn caller(&self, token: &str, now: Timestamp) -> Result<Caller, NotAdmitted> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Some((caller, until)) = self.lock().get(&hash)
            && now < *until
        {
            return Ok(caller.clone());
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Unauthenticated::Malformed.into());
        }
        let headers = [("x-auth-token", token), ("x-subject-token", token), ("accept", "application/json")];
        let (status, body) =
            self.issuer.get("/v3/auth/tokens", &headers).await.map_err(NotAdmitted::Issuer)?;
        match status {
            200 => {}
            401 | 404 => return Err(Unauthenticated::NotIssued.into()),
            _ => return Err(NotAdmitted::Issuer(format!("Keystone answered {status}"))),
        }
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|problem| NotAdmitted::Issuer(format!("Keystone's answer cannot be read: {problem}")))?;
        let (caller, expires) = answer.token.read(now)?;
        let mut known = self.lock();
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.insert(hash, (caller.clone(), expires.min(now.plus(IS_KEPT))));
        Ok(caller)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], (Caller, Timestamp)>> {
        // Nothing is left half done while it is locked.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct Answer {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    expires_at: String,
    project: Option<Project>,
    user: Option<Named>,
    #[serde(default)]
    roles: Vec<Named>,
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
    /// The caller, and when the token expires.
    fn read(self, now: Timestamp) -> Result<(Caller, Timestamp), NotAdmitted> {
        // With or without a fraction of a second.
        let seconds = self.expires_at.get(..19).map(|seconds| format!("{seconds}Z"));
        let expires = seconds.and_then(|seconds| Timestamp::parse_seconds_text(&seconds));
        let expires =
            expires.ok_or_else(|| NotAdmitted::Issuer("Keystone's expires_at is no time".to_owned()))?;
        if expires <= now {
            return Err(Unauthenticated::Expired.into());
        }
        let project = self.project.ok_or(Unauthenticated::NoProject)?;
        let malformed = Unauthenticated::BadClaim { claim: "project.id", expected: ID_FORM };
        let roles = self.roles.iter().filter_map(|role| Role::from_name(role.name.as_deref()?));
        let caller = Caller {
            tenant: TenantId::try_from(project.id).map_err(|_| malformed)?,
            account: project.domain.and_then(|domain| domain.id),
            user: self.user.and_then(|user| user.id),
            role: roles.max().ok_or(Unauthenticated::NoRole)?,
        };
        Ok((caller, expires))
    }
}
