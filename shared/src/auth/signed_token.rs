//! Bearer tokens that are signed JSON Web Tokens (RFC 7519), and the bearer that their claims name.
//!
//! The claims are not parsed before the signature is verified.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::algorithm::Algorithm;
use super::bearer::{Bearer, ExpectedClaims};
use super::claim_paths::{ClaimMap, ClaimPaths};
use super::error::CredentialError::{
    self, Expired, InvalidClaim, InvalidSignature, Malformed, NoProject, NoRole, NotYetValid,
    UnknownAlgorithm, WrongAudience, WrongIssuer,
};
use super::key_set::KeySet;
use super::token_hash::TokenHash;
use crate::domain::{Caller, ID_FORMAT, Role, Timestamp};

/// How far the issuer's clock may differ from ours, for `exp`, `nbf` and `iat`: more than synchronized clocks ever
/// differ, and too little to make an expired token useful.
pub(super) const CLOCK_LEEWAY: Duration = Duration::from_secs(30);

/// The header of a token. A duplicate member is an error; unknown members do not affect verification.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    /// Extensions that a verifier must support. This one supports none.
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

/// The untyped claims. Each is checked when it is read, so that the error names the wrong one.
struct Claims<'a> {
    claims: &'a ClaimMap,
    paths: &'a ClaimPaths,
}

/// A parsed token, not yet verified.
pub(super) struct SignedToken<'a> {
    hash: TokenHash,
    algorithm: Algorithm,
    kid: Option<String>,
    message: &'a str,
    claims: &'a str,
    signature: &'a str,
}

impl<'a> SignedToken<'a> {
    /// Parses the token's header, and leaves its claims as they are.
    ///
    /// # Errors
    /// [`Malformed`], or [`UnknownAlgorithm`] if its `alg` is not accepted.
    pub(super) fn parse(token: &'a str) -> Result<Self, CredentialError> {
        let (message, signature) = token.rsplit_once('.').ok_or(Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(Malformed)?;
        let header: Header = decode_part(header)?;
        if header.crit.is_some() {
            return Err(Malformed);
        }
        let algorithm = header.alg.parse::<Algorithm>().map_err(|_| UnknownAlgorithm)?;
        let hash = TokenHash::from_token(token);
        Ok(Self { hash, algorithm, kid: header.kid, message, claims, signature })
    }

    /// Verifies the token's signature and claims, and returns the bearer.
    ///
    /// A token that these keys verified in the last minutes is not verified again, since its bearer is cached with
    /// them. A key set is always used with the same `expected`, so the result is the same.
    ///
    /// # Errors
    /// [`CredentialError`] if the key is unknown, the signature is wrong, or a claim is.
    pub(super) fn bearer(
        &self,
        keys: &KeySet,
        expected: &ExpectedClaims,
        now: Timestamp,
    ) -> Result<Bearer, CredentialError> {
        if let Some(bearer) = keys.verified_bearer(&self.hash, now) {
            return Ok(bearer);
        }
        let bearer = self.verify(keys, expected, now)?;
        keys.cache_bearer(self.hash, &bearer, now);
        Ok(bearer)
    }

    /// Verifies the token as [`Self::bearer`] does, without the cache, for other claims than those of the key set.
    ///
    /// # Errors
    /// As for [`Self::bearer`].
    pub(super) fn verify(
        &self,
        keys: &KeySet,
        expected: &ExpectedClaims,
        now: Timestamp,
    ) -> Result<Bearer, CredentialError> {
        if !keys.find(self.algorithm, self.kid.as_deref())?.verifies(self.message, self.signature) {
            return Err(InvalidSignature);
        }
        let claim_map: ClaimMap = decode_part(self.claims)?;
        let claims = Claims { claims: &claim_map, paths: &expected.claim_paths };
        let expires = claims.check_validity_period(now)?;
        claims.check_issuer_and_audience(expected)?;
        let issued = claim_map.get("iat").and_then(Value::as_f64).map(from_unix_seconds);
        Ok(Bearer { caller: claims.caller()?, issued, expires, access_rules: None })
    }
}

impl SignedToken<'_> {
    /// A claim that is a text. The token has to be verified.
    pub(super) fn text_claim(&self, name: &str) -> Option<String> {
        let claims: ClaimMap = decode_part(self.claims).ok()?;
        claims.get(name).and_then(Value::as_str).map(str::to_owned)
    }
}

fn decode_part<T: DeserializeOwned>(base64: &str) -> Result<T, CredentialError> {
    let json = URL_SAFE_NO_PAD.decode(base64).map_err(|_| Malformed)?;
    let json = String::from_utf8(json).map_err(|_| Malformed)?;
    // Serde accepts an array as a struct's fields in order.
    if !json.trim_ascii_start().starts_with('{') {
        return Err(Malformed);
    }
    serde_json::from_str(&json).map_err(|_| Malformed)
}

/// Deserializes a member that is present. `null` is an error and not an absent member, which would lift a restriction.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Claims<'_> {
    /// Returns when the token expires.
    ///
    /// # Errors
    /// [`Expired`] or [`NotYetValid`], or [`InvalidClaim`] if a time is not a number or `exp` is missing.
    fn check_validity_period(&self, now: Timestamp) -> Result<Timestamp, CredentialError> {
        let number = |claim| optional_number(claim, self.claims.get(claim));
        let exp = number("exp")?.ok_or_else(|| invalid_time("exp"))?;
        if exp <= to_unix_seconds(now.minus(CLOCK_LEEWAY)) {
            return Err(Expired);
        }
        for start in [number("nbf")?, number("iat")?].into_iter().flatten() {
            if start > to_unix_seconds(now.plus(CLOCK_LEEWAY)) {
                return Err(NotYetValid);
            }
        }
        Ok(from_unix_seconds(exp))
    }

    fn check_issuer_and_audience(&self, expected: &ExpectedClaims) -> Result<(), CredentialError> {
        if let Some(issuer) = &expected.issuer
            && self.claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(WrongIssuer);
        }
        if let Some(audience) = &expected.audience {
            let is_audience = match self.claims.get("aud") {
                Some(Value::String(one)) => one == audience,
                Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
                _ => false,
            };
            if !is_audience {
                return Err(WrongAudience);
            }
        }
        Ok(())
    }

    fn caller(&self) -> Result<Caller, CredentialError> {
        let ClaimPaths { project, account, roles } = self.paths;
        let tenant = self.claims.get_path(project).ok_or(NoProject)?;
        let tenant = tenant.as_str().and_then(|id| id.parse().ok());
        Ok(Caller {
            tenant: tenant.ok_or_else(|| InvalidClaim { claim: project.clone(), expected: ID_FORMAT })?,
            account: self.optional_text(account)?,
            user: self.optional_text("sub")?,
            access_key: None,
            role: strongest_role(roles, self.claims.get_path(roles))?,
        })
    }

    /// Returns an optional text claim. `null` counts as absent.
    fn optional_text(&self, path: &str) -> Result<Option<String>, CredentialError> {
        let wrong = || InvalidClaim { claim: path.to_owned(), expected: "a string" };
        self.claims
            .get_path(path)
            .map(|value| value.as_str().map(str::to_owned).ok_or_else(wrong))
            .transpose()
    }
}

fn to_unix_seconds(moment: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    let millis = moment.unix_millis() as f64;
    millis / 1000.0
}

/// Converts seconds since the epoch, and saturates: `exp` may be any number.
fn from_unix_seconds(seconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates")]
    Timestamp::from_unix_millis((seconds * 1000.0) as i64)
}

fn invalid_time(claim: &str) -> CredentialError {
    InvalidClaim { claim: claim.to_owned(), expected: "a number of seconds since 1970-01-01T00:00:00Z" }
}

/// Returns a number claim. `null` is an error, not an absent limit.
fn optional_number(claim: &str, value: Option<&Value>) -> Result<Option<f64>, CredentialError> {
    value.map(|value| value.as_f64().ok_or_else(|| invalid_time(claim))).transpose()
}

/// Returns the strongest of this service's roles, and ignores an issuer's others.
fn strongest_role(claim: &str, roles: Option<&Value>) -> Result<Role, CredentialError> {
    let malformed = || InvalidClaim { claim: claim.to_owned(), expected: "an array of strings" };
    let mut strongest = None;
    for role in roles.and_then(Value::as_array).ok_or_else(malformed)? {
        strongest = strongest.max(Role::from_name(role.as_str().ok_or_else(malformed)?));
    }
    strongest.ok_or(NoRole)
}
