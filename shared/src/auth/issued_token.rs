//! Tokens that this deployment issues for an access key, to clients that insist on Keystone's tokens.
//!
//! A token names its access key and no rights: its bearer may do what the access key may do at the time of the request.
//! The token ends when it expires or is revoked, or when its access key expires or is disabled. It is signed with a key that is
//! derived from the access key's master key, whose id is in the token's `kid`, so that only master keys have to be
//! configured and rotated.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::authenticator::Authenticator;
use super::bearer::Bearer;
use super::error::{AuthError, CredentialError, MAX_TOKEN_BYTES};
use super::keyring::Keyring;
use super::master_keys::MasterKeys;
use super::token_hash::TokenHash;
use crate::domain::{AccessKey, AccessKeyId, AccessKeyState, Caller, TenantId, Timestamp};
use crate::store::Store;

/// How long an issued token is valid, as is that of a session. Its clients get a new one without being asked to, and browsers
/// get one while they are used.
pub(super) const TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// How long after a token was revoked a new one may still be issued in its place: by an answer under way, or by a process that
/// has cached that it was not. An upper bound.
const MAX_RENEWAL_DELAY: Duration = Duration::from_mins(10);

/// The prefix of the `kid` of our own tokens, before the id of the master key.
const KID_PREFIX: &str = "imageshare:";

/// A newly issued token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The text that the bearer sends.
    pub token: String,
    /// When the token was issued.
    pub issued: Timestamp,
    /// When the token expires.
    pub expires: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The id of the access key.
    sub: AccessKeyId,
    /// For people who inspect a token. Not used for authorization.
    project_id: TenantId,
    iat: i64,
    exp: i64,
    /// Makes each token of an access key unique, even within a second, so that it can be revoked alone.
    #[serde(default)]
    jti: String,
    /// The hash of the first token of a session in the console, under which all of them are revoked. Others have no such claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<String>,
}

impl Claims {
    /// The hash under which the token with these claims is revoked.
    fn revocation_hash(&self, token: &str) -> TokenHash {
        TokenHash::for_revocation(token, self.first.as_deref())
    }
}

impl Keyring {
    /// Issues a token for an access key, which expires no later than the key; `None` if the access key's master key is no longer listed. No I/O.
    pub fn issue_token(&self, key: &AccessKey, now: Timestamp) -> Option<IssuedToken> {
        self.issue_next_token(key, now, None)
    }

    /// Issues a token in a session that began with the token of the hash `first`.
    fn issue_next_token(
        &self,
        key: &AccessKey,
        now: Timestamp,
        first: Option<TokenHash>,
    ) -> Option<IssuedToken> {
        let expires = now.plus(TOKEN_LIFETIME);
        let expires = key.expires_at.map_or(expires, |end| end.min(expires));
        let header = Header { alg: "HS256".to_owned(), kid: format!("{KID_PREFIX}{}", key.master_key_id) };
        let claims = Claims {
            sub: key.id.clone(),
            project_id: key.project.clone(),
            iat: now.unix_seconds(),
            exp: expires.unix_seconds(),
            jti: uuid::Uuid::new_v4().simple().to_string(),
            first: first.map(TokenHash::to_base64),
        };
        let message = format!("{}.{}", encode_part(&header)?, encode_part(&claims)?);
        let signature = token_mac(&self.master_keys(), &key.master_key_id, &message)?.finalize().into_bytes();
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        Some(IssuedToken { token, issued: now, expires })
    }

    /// Verifies a token that this deployment issued and returns its claims; `None` for any other token. Whether the
    /// token is revoked or its access key disabled remains to be checked.
    fn verify_own_token(&self, token: &str, now: Timestamp) -> Option<Result<Claims, CredentialError>> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = decode_part(header)?;
        let master_id = header.kid.strip_prefix(KID_PREFIX)?;
        if header.alg != "HS256" {
            return Some(Err(CredentialError::UnknownAlgorithm));
        }
        let Some(mac) = token_mac(&self.master_keys(), master_id, message) else {
            return Some(Err(CredentialError::UnknownKey));
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        if mac.verify_slice(&signature).is_err() {
            return Some(Err(CredentialError::InvalidSignature));
        }
        let Some(claims) = decode_part::<Claims>(claims) else {
            return Some(Err(CredentialError::Malformed));
        };
        if claims.exp <= now.unix_seconds() {
            return Some(Err(CredentialError::Expired));
        }
        Some(Ok(claims))
    }
}

impl Authenticator {
    /// Returns the bearer of a token, issued by this deployment or by an issuer that it trusts. An own token costs at
    /// most two concurrent reads of the table; any other, what [`Self::verify_external_token`] costs.
    ///
    /// # Errors
    /// [`AuthError`] if the token is invalid, or cannot be checked now.
    pub async fn token_bearer(
        &self,
        token: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<Bearer, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(CredentialError::TooLong.into());
        }
        let Some(claims) = self.own_claims(token, store, now).await? else {
            return self.verify_external_token(token, now).await;
        };
        let (credential, is_revoked) = tokio::try_join!(
            self.keyring().find(store, &claims.sub, now),
            self.keyring().is_revoked(store, claims.revocation_hash(token), now),
        )?;
        if is_revoked {
            return Err(CredentialError::Revoked.into());
        }
        let credential = credential.ok_or(CredentialError::KeyDisabled)?;
        match credential.key.state(now) {
            AccessKeyState::Enabled => {}
            AccessKeyState::Disabled => return Err(CredentialError::KeyDisabled.into()),
            AccessKeyState::Expired => return Err(CredentialError::KeyExpired.into()),
        }
        Ok(Bearer {
            caller: credential.key.caller(),
            issued: Some(timestamp(claims.iat)),
            expires: timestamp(claims.exp),
            access_rules: None,
        })
    }
}

impl Authenticator {
    /// Returns the claims of a token that this deployment issued; `None` for any other token. If its master key is unknown, the
    /// access key that it names is looked up, which reads the master keys again if that one is a new one.
    async fn own_claims(
        &self,
        token: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<Option<Claims>, AuthError> {
        let keyring = self.keyring();
        let mut verified = keyring.verify_own_token(token, now);
        if matches!(verified, Some(Err(CredentialError::UnknownKey))) && keyring.is_refreshed() {
            if let Some(id) = claimed_access_key(token) {
                keyring.find(store, &id, now).await?;
            }
            verified = keyring.verify_own_token(token, now);
        }
        Ok(verified.transpose()?)
    }

    /// Issues a token to a client that has the secret of an access key; `None` if the key does not exist, is disabled or
    /// has expired, or the secret is wrong. Also returns whom the token is for. At most one read.
    ///
    /// # Errors
    /// [`AuthError::Store`] if the table failed.
    pub async fn issue_for_access_key(
        &self,
        (id, secret): (&str, &str),
        store: &Store,
        now: Timestamp,
    ) -> Result<Option<(Caller, IssuedToken)>, AuthError> {
        let Ok(id) = id.parse() else { return Ok(None) };
        let Some(credential) = self.keyring().find(store, &id, now).await? else { return Ok(None) };
        let secret_matches = credential.secret.as_ref().is_some_and(|expected| expected.matches(secret));
        if !secret_matches || credential.key.state(now) != AccessKeyState::Enabled {
            return Ok(None);
        }
        let issued = self.keyring().issue_token(&credential.key, now);
        Ok(issued.map(|issued| (credential.key.caller(), issued)))
    }

    /// Issues a new token in place of one that this deployment issued at least `after` ago, for an access key or a session;
    /// `None` for a newer one, and for a token of another issuer. The token has to be verified. At most one read, and none while
    /// the access key is cached.
    ///
    /// # Errors
    /// [`AuthError`] if the table failed.
    pub async fn renew_token(
        &self,
        token: &str,
        store: &Store,
        after: Duration,
        now: Timestamp,
    ) -> Result<Option<IssuedToken>, AuthError> {
        let Some(claims) = self.own_claims(token, store, now).await? else {
            return self.renew_session(token, after, now).await;
        };
        if now < timestamp(claims.iat).plus(after) {
            return Ok(None);
        }
        let credential = self.keyring().find(store, &claims.sub, now).await?;
        let first = Some(claims.revocation_hash(token));
        Ok(credential.and_then(|found| self.keyring().issue_next_token(&found.key, now, first)))
    }

    /// Revokes a token that this deployment or its Keystone issued, and with one of a session all others of that session, also
    /// those that answers under way are about to issue. An own token costs one put; Keystone's, one request.
    ///
    /// # Errors
    /// [`CredentialError::NotRevocable`] for a token of another issuer; any other [`AuthError`] if the token is
    /// invalid, or could not be revoked.
    pub async fn revoke(&self, token: &str, store: &Store, now: Timestamp) -> Result<(), AuthError> {
        match self.own_claims(token, store, now).await? {
            Some(claims) => {
                let (hash, end) = (claims.revocation_hash(token), revoked_until(claims.exp, now));
                Ok(self.keyring().revoke(store, hash, end).await?)
            }
            None if self.revoke_session(token, store, now).await? => Ok(()),
            None => self.revoke_with_keystone(token, now).await,
        }
    }
}

/// Returns the access key that a token names, unverified: only to look it up.
fn claimed_access_key(token: &str) -> Option<AccessKeyId> {
    let claims = token.split('.').nth(1)?;
    decode_part::<Claims>(claims).map(|claims| claims.sub)
}

/// Until when a revocation is kept: until the token has expired, and each that was or will be issued in its place.
pub(super) fn revoked_until(expires: i64, now: Timestamp) -> Timestamp {
    timestamp(expires).max(now.plus(TOKEN_LIFETIME).plus(MAX_RENEWAL_DELAY))
}

pub(super) fn timestamp(unix_seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(unix_seconds.saturating_mul(1000))
}

pub(super) fn encode_part(value: &impl Serialize) -> Option<String> {
    serde_json::to_vec(value).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

pub(super) fn decode_part<T: for<'de> Deserialize<'de>>(base64: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(base64).ok()?).ok()
}

fn token_mac(master_keys: &MasterKeys, master_id: &str, message: &str) -> Option<Hmac<Sha256>> {
    let key = master_keys.token_key(master_id)?;
    Some(Hmac::<Sha256>::new_from_slice(&key).ok()?.chain_update(message))
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::domain::Role;

    fn keyring(masters: &[(&str, u8)]) -> Keyring {
        let entry = |(id, byte): &(&str, u8)| format!("{id}:{}", STANDARD.encode([*byte; 32]));
        let text = masters.iter().map(entry).collect::<Vec<_>>().join(",");
        Keyring::new(MasterKeys::parse(&text).unwrap())
    }

    fn key(master: &str) -> AccessKey {
        AccessKey {
            id: "key-1".parse().unwrap(),
            name: "n".to_owned(),
            project: "own1".parse().unwrap(),
            account: None,
            user: None,
            roles: vec![Role::Member],
            master_key_id: master.to_owned(),
            sealed_secret: None,
            created: Timestamp::from_unix_millis(0),
            expires_at: None,
            disabled_at: None,
        }
    }

    const NOW_MILLIS: i64 = 1_795_000_000_000;

    #[test]
    fn issued_token_is_valid_until_it_expires() {
        let now = Timestamp::from_unix_millis(NOW_MILLIS);
        let keys = keyring(&[("new", 1), ("old", 2)]);
        for master in ["new", "old"] {
            let token = keys.issue_token(&key(master), now).unwrap();
            let claims = keys.verify_own_token(&token.token, now).unwrap().unwrap();
            assert_eq!((claims.sub.as_str(), timestamp(claims.exp)), ("key-1", token.expires));
            let expired = keys.verify_own_token(&token.token, token.expires).unwrap();
            assert_eq!(expired.err(), Some(CredentialError::Expired));
        }
        assert_eq!(keys.issue_token(&key("gone"), now), None);
    }

    #[test]
    fn tampered_or_foreign_issued_token_is_rejected() {
        let now = Timestamp::from_unix_millis(NOW_MILLIS);
        let keys = keyring(&[("a", 1)]);
        let token = keys.issue_token(&key("a"), now).unwrap().token;
        let (message, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = message.split_once('.').unwrap();
        let forged = encode_part(&Claims {
            sub: "key-2".parse().unwrap(),
            project_id: "own1".parse().unwrap(),
            iat: 0,
            exp: i64::MAX,
            jti: String::new(),
            first: None,
        });
        let error = |token: &str| keys.verify_own_token(token, now).unwrap().err().unwrap();
        let forged = format!("{header}.{}.{signature}", forged.unwrap());
        for bad in [forged, format!("{message}."), format!("{message}.AAAA")] {
            assert_eq!(error(&bad), CredentialError::InvalidSignature);
        }
        let none = encode_part(&Header { alg: "none".to_owned(), kid: "imageshare:a".to_owned() }).unwrap();
        assert_eq!(error(&format!("{none}.e30.")), CredentialError::UnknownAlgorithm);
        let other = keyring(&[("a", 2)]).issue_token(&key("a"), now).unwrap().token;
        assert_eq!(error(&other), CredentialError::InvalidSignature);
        let unknown = keyring(&[("b", 1)]).issue_token(&key("b"), now).unwrap().token;
        assert_eq!(error(&unknown), CredentialError::UnknownKey);
        for foreign in ["", "a.b.c", "opaque", "e30.e30.e30"] {
            assert!(keys.verify_own_token(foreign, now).is_none());
        }
    }
}
