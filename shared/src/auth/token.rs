//! Bearer tokens: a signed JSON Web Token (RFC 7519), and the bearer that its claims name.
//!
//! Nothing of the claims is looked at before the signature has been checked.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Unauthenticated::{
    BadClaim, Expired, Malformed, NoProject, NoRole, NotYetValid, UnknownAlgorithm,
};
use super::Unauthenticated::{BadSignature, WrongAudience, WrongIssuer};
use super::claim_paths::{ClaimPaths, Members};
use super::key_set::{Algorithm, KeySet};
use super::token_hash::TokenHash;
use super::{Bearer, Expectations, Unauthenticated};
use crate::domain::{Caller, ID_FORM, Role, Timestamp};

/// How far the issuer's clock may be from ours, for `exp`, `nbf` and `iat` alike: more than machines that follow a
/// time server ever differ, and too little to make an expired token worth anything.
pub(super) const LEEWAY: Duration = Duration::from_secs(30);

/// The header of a token. A duplicate member is an error; other members cannot change how the token is checked.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    /// Extensions that must be understood; we understand none.
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

/// The claims, each still to be typed, so that the answer can name the wrong one.
struct Claims<'a> {
    members: &'a Members,
    paths: &'a ClaimPaths,
}

/// A token that could be read. Nothing of it is believed yet.
pub(super) struct SignedToken<'a> {
    hash: TokenHash,
    algorithm: Algorithm,
    kid: Option<String>,
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> SignedToken<'a> {
    /// Reads a token.
    pub(super) fn read(token: &'a str) -> Result<Self, Unauthenticated> {
        let (message, signature) = token.rsplit_once('.').ok_or(Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Malformed)?;
        let header: Header = part(header)?;
        if header.crit.is_some() {
            return Err(Malformed);
        }
        let algorithm = Algorithm::from_name(&header.alg).ok_or(UnknownAlgorithm)?;
        let hash = TokenHash::of(token);
        Ok(Self { hash, algorithm, kid: header.kid, message, claims, signature })
    }

    /// Returns the bearer that the token names, if one of the keys signed it and its claims are as expected.
    ///
    /// A token that these keys have verified in the last minutes is not verified again: the keys remember its bearer.
    /// Since they are always asked with the same expectations, the answer is the one that a verification would give.
    pub(super) fn bearer(
        &self,
        keys: &KeySet,
        expected: &Expectations,
        now: Timestamp,
    ) -> Result<Bearer, Unauthenticated> {
        if let Some(bearer) = keys.verified_bearer(&self.hash, now) {
            return Ok(bearer);
        }
        let bearer = self.verify(keys, expected, now)?;
        keys.cache_bearer(self.hash, &bearer, now);
        Ok(bearer)
    }

    fn verify(
        &self,
        keys: &KeySet,
        expected: &Expectations,
        now: Timestamp,
    ) -> Result<Bearer, Unauthenticated> {
        if !keys.find(self.algorithm, self.kid.as_deref())?.verifies(self.message, self.signature) {
            return Err(BadSignature);
        }
        let members: Members = part(self.claims)?;
        let claims = Claims { members: &members, paths: &expected.claims };
        let expires = claims.check_time(now)?;
        claims.check_origin(expected)?;
        let issued = members.get("iat").and_then(Value::as_f64).map(moment);
        Ok(Bearer { caller: claims.caller()?, issued, expires, access_rules: None })
    }
}

fn part<T: DeserializeOwned>(base64: &str) -> Result<T, Unauthenticated> {
    let json = URL_SAFE_NO_PAD.decode(base64).map_err(|_| Malformed)?;
    let json = String::from_utf8(json).map_err(|_| Malformed)?;
    // Serde would take an array for a struct's fields in their order.
    if !json.trim_ascii_start().starts_with('{') {
        return Err(Malformed);
    }
    serde_json::from_str(&json).map_err(|_| Malformed)
}

/// A member that is there, even if it is `null`: a limit written as `null` must not count as no limit.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Claims<'_> {
    /// When the token expires, if that is neither past nor its beginning still to come.
    fn check_time(&self, now: Timestamp) -> Result<Timestamp, Unauthenticated> {
        let number = |claim| number(claim, self.members.get(claim));
        let exp = number("exp")?.ok_or_else(|| bad_time("exp"))?;
        if exp <= seconds(now.minus(LEEWAY)) {
            return Err(Expired);
        }
        for start in [number("nbf")?, number("iat")?].into_iter().flatten() {
            if start > seconds(now.plus(LEEWAY)) {
                return Err(NotYetValid);
            }
        }
        Ok(moment(exp))
    }

    fn check_origin(&self, expected: &Expectations) -> Result<(), Unauthenticated> {
        if let Some(issuer) = &expected.issuer
            && self.members.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(WrongIssuer);
        }
        if let Some(audience) = &expected.audience {
            let named = match self.members.get("aud") {
                Some(Value::String(one)) => one == audience,
                Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
                _ => false,
            };
            if !named {
                return Err(WrongAudience);
            }
        }
        Ok(())
    }

    fn caller(&self) -> Result<Caller, Unauthenticated> {
        let ClaimPaths { project, account, roles } = self.paths;
        let tenant = self.members.at(project).ok_or(NoProject)?;
        let tenant = tenant.as_str().and_then(|id| id.parse().ok());
        Ok(Caller {
            tenant: tenant.ok_or_else(|| BadClaim { claim: project.clone(), expected: ID_FORM })?,
            account: self.text(account)?,
            user: self.text("sub")?,
            access_key: None,
            role: strongest_role(roles, self.members.at(roles))?,
        })
    }

    /// An optional text; `null` is as good as absent.
    fn text(&self, path: &str) -> Result<Option<String>, Unauthenticated> {
        let wrong = || BadClaim { claim: path.to_owned(), expected: "a string" };
        self.members.at(path).map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong)).transpose()
    }
}

fn seconds(moment: Timestamp) -> f64 {
    // A float holds the milliseconds of the next 285,000 years exactly.
    #[expect(clippy::cast_precision_loss)]
    let millis = moment.unix_millis() as f64;
    millis / 1000.0
}

/// The moment that many seconds after the epoch; the latest that there is where it is later than that.
fn moment(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation)]
    Timestamp::from_unix_millis((seconds * 1000.0) as i64)
}

fn bad_time(claim: &str) -> Unauthenticated {
    BadClaim { claim: claim.to_owned(), expected: "a number of seconds since 1970-01-01T00:00:00Z" }
}

/// A limit written as `null` must not count as no limit.
fn number(claim: &str, value: Option<&Value>) -> Result<Option<f64>, Unauthenticated> {
    value.map(|value| value.as_f64().ok_or_else(|| bad_time(claim))).transpose()
}

/// The strongest role that means something here; an issuer may know others, which do not matter.
fn strongest_role(claim: &str, roles: Option<&Value>) -> Result<Role, Unauthenticated> {
    let malformed = || BadClaim { claim: claim.to_owned(), expected: "an array of strings" };
    let mut strongest = None;
    for role in roles.and_then(Value::as_array).ok_or_else(malformed)? {
        strongest = strongest.max(Role::from_name(role.as_str().ok_or_else(malformed)?));
    }
    strongest.ok_or(NoRole)
}
