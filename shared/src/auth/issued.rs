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

use super::token_hash::TokenHash;
use super::{Authenticator, Bearer, Keyring, LONGEST_TOKEN_BYTES, MasterKeys, NotAdmitted, Unauthenticated};
use crate::domain::{AccessKey, AccessKeyId, TenantId, Timestamp};
use crate::store::Store;

/// How long a token is good for. Its clients get a new one by themselves.
const LIFETIME: Duration = Duration::from_hours(1);

/// What the `kid` of our own tokens begins with; the id of the master key follows.
const KID: &str = "imageshare:";

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
        let expires = now.plus(LIFETIME);
        let header = Header { alg: "HS256".to_owned(), kid: format!("{KID}{}", key.master) };
        let claims = Claims {
            sub: key.id.clone(),
            project_id: key.project.clone(),
            iat: now.unix_seconds(),
            exp: expires.unix_seconds(),
            jti: uuid::Uuid::new_v4().simple().to_string(),
        };
        let message = format!("{}.{}", part(&header)?, part(&claims)?);
        let signature = mac(self.masters(), &key.master, &message)?.finalize().into_bytes();
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        Some(IssuedToken { token, issued: now, expires })
    }

    /// What one of our own tokens says; `None` for any other token.
    fn read_token(&self, token: &str, now: Timestamp) -> Option<Result<Claims, Unauthenticated>> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = read(header)?;
        let master = header.kid.strip_prefix(KID)?;
        if header.alg != "HS256" {
            return Some(Err(Unauthenticated::UnknownAlgorithm));
        }
        let Some(mac) = mac(self.masters(), master, message) else {
            return Some(Err(Unauthenticated::UnknownKey));
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        if mac.verify_slice(&signature).is_err() {
            return Some(Err(Unauthenticated::BadSignature));
        }
        let Some(claims) = read::<Claims>(claims) else { return Some(Err(Unauthenticated::Malformed)) };
        if claims.exp <= now.unix_seconds() {
            return Some(Err(Unauthenticated::Expired));
        }
        Some(Ok(claims))
    }
}

impl Authenticator {
    /// Who bears a token: one of our own, for at most two reads of the table at once, or anybody's whom this deployment trusts.
    ///
    /// # Errors
    /// [`NotAdmitted`] says what is wrong with the token.
    pub async fn token_bearer(
        &self,
        token: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<Bearer, NotAdmitted> {
        if token.len() > LONGEST_TOKEN_BYTES {
            return Err(Unauthenticated::TooLong.into());
        }
        let Some(own) = self.keyring().read_token(token, now) else {
            return self.token_of_others(token, now).await;
        };
        let claims = own?;
        let (credential, is_revoked) = tokio::try_join!(
            self.keyring().find(store, &claims.sub, now),
            self.keyring().is_revoked(store, TokenHash::of(token), now),
        )?;
        if is_revoked {
            return Err(Unauthenticated::Revoked.into());
        }
        let credential = credential.filter(|credential| credential.key.disabled.is_none());
        let credential = credential.ok_or(Unauthenticated::KeyDisabled)?;
        Ok(Bearer {
            caller: credential.key.caller(),
            issued: Some(moment(claims.iat)),
            expires: moment(claims.exp),
            access_rules: None,
        })
    }
}

impl Authenticator {
    /// Ends a token before its time: one of our own, or one that the deployment's Keystone has issued.
    ///
    /// # Errors
    /// [`NotAdmitted`] says why it goes on; [`Unauthenticated::CannotRevoke`] of a token of another issuer.
    pub async fn revoke(&self, token: &str, store: &Store, now: Timestamp) -> Result<(), NotAdmitted> {
        match self.keyring().read_token(token, now) {
            Some(own) => {
                let expires = moment(own?.exp);
                Ok(self.keyring().revoke(store, TokenHash::of(token), expires).await?)
            }
            None => self.revoke_with_keystone(token, now).await,
        }
    }
}

fn moment(unix_seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(unix_seconds.saturating_mul(1000))
}

fn part(value: &impl Serialize) -> Option<String> {
    serde_json::to_vec(value).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

fn read<T: for<'de> Deserialize<'de>>(base64: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(base64).ok()?).ok()
}

fn mac(masters: &MasterKeys, master: &str, message: &str) -> Option<Hmac<Sha256>> {
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
            master: master.to_owned(),
            created: Timestamp::from_unix_millis(0),
            disabled: None,
        }
    }

    const NOW: i64 = 1_795_000_000_000;

    #[test]
    fn a_token_stands_for_its_key_until_it_ends() {
        let now = Timestamp::from_unix_millis(NOW);
        let keys = keyring(&[("new", 1), ("old", 2)]);
        for master in ["new", "old"] {
            let token = keys.issue_token(&key(master), now).unwrap();
            let claims = keys.read_token(&token.token, now).unwrap().unwrap();
            assert_eq!((claims.sub.as_str(), moment(claims.exp)), ("key-1", token.expires));
            let end = keys.read_token(&token.token, token.expires).unwrap();
            assert_eq!(end.err(), Some(Unauthenticated::Expired));
        }
        assert_eq!(keys.issue_token(&key("gone"), now), None);
    }

    #[test]
    fn a_token_that_was_changed_or_is_of_another_master_key_is_refused() {
        let now = Timestamp::from_unix_millis(NOW);
        let keys = keyring(&[("a", 1)]);
        let token = keys.issue_token(&key("a"), now).unwrap().token;
        let (message, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = message.split_once('.').unwrap();
        let forged = part(&Claims {
            sub: "key-2".parse().unwrap(),
            project_id: "own1".parse().unwrap(),
            iat: 0,
            exp: i64::MAX,
            jti: String::new(),
        });
        let refused = |token: &str| keys.read_token(token, now).unwrap().err().unwrap();
        let forged = format!("{header}.{}.{signature}", forged.unwrap());
        for bad in [forged, format!("{message}."), format!("{message}.AAAA")] {
            assert_eq!(refused(&bad), Unauthenticated::BadSignature);
        }
        let none = part(&Header { alg: "none".to_owned(), kid: "imageshare:a".to_owned() }).unwrap();
        assert_eq!(refused(&format!("{none}.e30.")), Unauthenticated::UnknownAlgorithm);
        let other = keyring(&[("a", 2)]).issue_token(&key("a"), now).unwrap().token;
        assert_eq!(refused(&other), Unauthenticated::BadSignature);
        let unknown = keyring(&[("b", 1)]).issue_token(&key("b"), now).unwrap().token;
        assert_eq!(refused(&unknown), Unauthenticated::UnknownKey);
        for others in ["", "a.b.c", "opaque", "e30.e30.e30"] {
            assert!(keys.read_token(others, now).is_none());
        }
    }
}
