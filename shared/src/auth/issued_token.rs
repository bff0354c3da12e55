//! Tokens that this deployment issues itself, to whoever holds an access key: for clients that insist on a Keystone, which
//! sends a token with every request.
//!
//! Such a token stands for its access key, and says nothing else: what its bearer may do is what the key may do when the
//! request comes, and a token ends with its key, or when it is revoked. It is signed with a key that is derived from the key's master key, and
//! names that in its header, so that nothing has to be configured or rotated besides the master keys.

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
use crate::domain::{AccessKey, AccessKeyId, TenantId, Timestamp};
use crate::store::Store;

/// How long a token is good for. Its clients get a new one by themselves.
const TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// What the `kid` of our own tokens begins with; the id of the master key follows.
const KID_PREFIX: &str = "imageshare:";

/// A token that was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// What its bearer sends.
    pub token: String,
    /// Since when it is good.
    pub issued: Timestamp,
    /// Until when.
    pub expires: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    /// The access key.
    sub: AccessKeyId,
    /// For people who look into a token; nothing is decided by it.
    project_id: TenantId,
    iat: i64,
    exp: i64,
    /// Tells the tokens of a key apart that were issued in the same second, so that one can be revoked.
    #[serde(default)]
    jti: String,
}

impl Keyring {
    /// A token for the holder of that access key; `None` where the key's master key is no longer in use.
    pub fn issue_token(&self, key: &AccessKey, now: Timestamp) -> Option<IssuedToken> {
        let expires = now.plus(TOKEN_LIFETIME);
        let header = Header { alg: "HS256".to_owned(), kid: format!("{KID_PREFIX}{}", key.master_key_id) };
        let claims = Claims {
            sub: key.id.clone(),
            project_id: key.project.clone(),
            iat: now.unix_seconds(),
            exp: expires.unix_seconds(),
            jti: uuid::Uuid::new_v4().simple().to_string(),
        };
        let message = format!("{}.{}", encode_part(&header)?, encode_part(&claims)?);
        let signature = token_mac(self.master_keys(), &key.master_key_id, &message)?.finalize().into_bytes();
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        Some(IssuedToken { token, issued: now, expires })
    }

    /// What one of our own tokens says; `None` for any other token.
    fn verify_own_token(&self, token: &str, now: Timestamp) -> Option<Result<Claims, CredentialError>> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = decode_part(header)?;
        let master = header.kid.strip_prefix(KID_PREFIX)?;
        if header.alg != "HS256" {
            return Some(Err(CredentialError::UnknownAlgorithm));
        }
        let Some(mac) = token_mac(self.master_keys(), master, message) else {
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
    /// Who bears a token: one of our own, for at most two reads of the table at once, or anybody's whom this deployment trusts.
    ///
    /// # Errors
    /// [`AuthError`] says what is wrong with the token.
    pub async fn token_bearer(
        &self,
        token: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<Bearer, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(CredentialError::TooLong.into());
        }
        let Some(own) = self.keyring().verify_own_token(token, now) else {
            return self.verify_external_token(token, now).await;
        };
        let claims = own?;
        let (credential, is_revoked) = tokio::try_join!(
            self.keyring().find(store, &claims.sub, now),
            self.keyring().is_revoked(store, TokenHash::from_token(token), now),
        )?;
        if is_revoked {
            return Err(CredentialError::Revoked.into());
        }
        let credential = credential.filter(|credential| credential.key.disabled_at.is_none());
        let credential = credential.ok_or(CredentialError::KeyDisabled)?;
        Ok(Bearer {
            caller: credential.key.caller(),
            issued: Some(timestamp(claims.iat)),
            expires: timestamp(claims.exp),
            access_rules: None,
        })
    }
}

impl Authenticator {
    /// Ends a token before its time: one of our own, or one that the deployment's Keystone has issued.
    ///
    /// # Errors
    /// [`AuthError`] says why it goes on; [`Unauthenticated::NotRevocable`] of a token of another issuer.
    pub async fn revoke(&self, token: &str, store: &Store, now: Timestamp) -> Result<(), AuthError> {
        match self.keyring().verify_own_token(token, now) {
            Some(own) => {
                let expires = timestamp(own?.exp);
                Ok(self.keyring().revoke(store, TokenHash::from_token(token), expires).await?)
            }
            None => self.revoke_with_keystone(token, now).await,
        }
    }
}

fn timestamp(unix_seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(unix_seconds.saturating_mul(1000))
}

fn encode_part(value: &impl Serialize) -> Option<String> {
    serde_json::to_vec(value).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

fn decode_part<T: for<'de> Deserialize<'de>>(base64: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(base64).ok()?).ok()
}

fn token_mac(masters: &MasterKeys, master: &str, message: &str) -> Option<Hmac<Sha256>> {
    let key = masters.token_key(master)?;
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
            created: Timestamp::from_unix_millis(0),
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
            let end = keys.verify_own_token(&token.token, token.expires).unwrap();
            assert_eq!(end.err(), Some(CredentialError::Expired));
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
        });
        let refused = |token: &str| keys.verify_own_token(token, now).unwrap().err().unwrap();
        let forged = format!("{header}.{}.{signature}", forged.unwrap());
        for bad in [forged, format!("{message}."), format!("{message}.AAAA")] {
            assert_eq!(refused(&bad), CredentialError::InvalidSignature);
        }
        let none = encode_part(&Header { alg: "none".to_owned(), kid: "imageshare:a".to_owned() }).unwrap();
        assert_eq!(refused(&format!("{none}.e30.")), CredentialError::UnknownAlgorithm);
        let other = keyring(&[("a", 2)]).issue_token(&key("a"), now).unwrap().token;
        assert_eq!(refused(&other), CredentialError::InvalidSignature);
        let unknown = keyring(&[("b", 1)]).issue_token(&key("b"), now).unwrap().token;
        assert_eq!(refused(&unknown), CredentialError::UnknownKey);
        for others in ["", "a.b.c", "opaque", "e30.e30.e30"] {
            assert!(keys.verify_own_token(others, now).is_none());
        }
    }
}
