//! The tokens of the console that name no access key: of a session that began with a provider's token or a link, and of such a
//! link.
//!
//! Unlike an [issued token](super::issued_token), a session token has its caller's claims, since nothing is stored of it. It is
//! signed with a key that is derived from the newest master key for sessions alone, so no operation of an API accepts it, and
//! it ends no later than the credential that the session began with. A link's token is of the same form, with a key of its own: it
//! is good for a minute, and for one session.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::authenticator::Authenticator;
use super::bearer::Bearer;
use super::error::{AuthError, CredentialError, MAX_TOKEN_BYTES};
use super::issued_token::{IssuedToken, TOKEN_LIFETIME, decode_part, encode_part, revoked_until, timestamp};
use super::keyring::Keyring;
use super::master_keys::MasterKeys;
use super::token_hash::TokenHash;
use crate::domain::{AccessKeyId, Caller, Role, TenantId, Timestamp};
use crate::store::Store;

/// How long a session may last that is renewed again and again.
pub(super) const MAX_SESSION: Duration = Duration::from_hours(12);

/// How long a link of the command line is good.
const LINK_LIFETIME: Duration = Duration::from_mins(1);

/// The length of a token that a browser keeps in a cookie.
const MAX_COOKIE_BYTES: usize = 3_800;

/// What holds the place of an access key in the record of a used link.
const LINK_NONCES: &str = "console-link";

/// What a token is for. Each kind has its own key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Session,
    Link,
}

impl Purpose {
    /// The prefix of the `kid`, before the id of the master key.
    fn kid_prefix(self) -> &'static str {
        match self {
            Self::Session => "imageshare-session:",
            Self::Link => "imageshare-link:",
        }
    }

    /// The context in which its key is derived from a master key.
    fn context(self) -> &'static [u8] {
        match self {
            Self::Session => b"imageshare session",
            Self::Link => b"imageshare sign-in link",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    project_id: TenantId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    role: String,
    iat: i64,
    exp: i64,
    /// When the session ends, however often it is renewed.
    end: i64,
    /// Makes each token unique, so that it can be revoked, or used once.
    jti: String,
    /// The hash of the session's first token, under which all of them are revoked. The first one has no such claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<String>,
}

impl Claims {
    /// The caller that the claims name; `None` if they name a role that does not exist.
    fn caller(&self) -> Option<Caller> {
        let role = Role::from_name(&self.role)?;
        let (account, user) = (self.account_id.clone(), self.sub.clone());
        Some(Caller { tenant: self.project_id.clone(), account, user, access_key: None, role })
    }

    /// The hash under which the token with these claims is revoked.
    fn revocation_hash(&self, token: &str) -> TokenHash {
        TokenHash::for_revocation(token, self.first.as_deref())
    }
}

impl MasterKeys {
    /// Returns a link's token, which begins one session as this caller within a minute; `None` without master keys. No I/O.
    pub fn issue_link(&self, caller: &Caller, now: Timestamp) -> Option<IssuedToken> {
        let end = now.plus(LINK_LIFETIME);
        self.sign(Purpose::Link, self.newest()?, caller, (now, end, end), None)
    }

    /// Signs a token that was issued, expires and ends at these moments, in a session that began with the token of the hash
    /// `first`.
    fn sign(
        &self,
        purpose: Purpose,
        master_id: &str,
        caller: &Caller,
        (issued, expires, end): (Timestamp, Timestamp, Timestamp),
        first: Option<TokenHash>,
    ) -> Option<IssuedToken> {
        let header = Header { alg: "HS256".to_owned(), kid: format!("{}{master_id}", purpose.kid_prefix()) };
        let claims = Claims {
            project_id: caller.tenant.clone(),
            account_id: caller.account.clone(),
            sub: caller.user.clone(),
            role: caller.role.name().to_owned(),
            iat: issued.unix_seconds(),
            exp: expires.unix_seconds(),
            end: end.unix_seconds(),
            jti: uuid::Uuid::new_v4().simple().to_string(),
            first: first.map(TokenHash::to_base64),
        };
        let message = format!("{}.{}", encode_part(&header)?, encode_part(&claims)?);
        let signature = self.mac(purpose, master_id, &message)?.finalize().into_bytes();
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
        Some(IssuedToken { token, issued, expires })
    }

    /// Verifies a token of a purpose; `None` for any other token.
    fn verify(
        &self,
        purpose: Purpose,
        token: &str,
        now: Timestamp,
    ) -> Option<Result<Claims, CredentialError>> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let header: Header = decode_part(header)?;
        let master_id = header.kid.strip_prefix(purpose.kid_prefix())?;
        if header.alg != "HS256" {
            return Some(Err(CredentialError::UnknownAlgorithm));
        }
        let Some(mac) = self.mac(purpose, master_id, message) else {
            return Some(Err(CredentialError::UnknownKey));
        };
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        if mac.verify_slice(&signature).is_err() {
            return Some(Err(CredentialError::InvalidSignature));
        }
        let Some(claims) = decode_part::<Claims>(claims) else {
            return Some(Err(CredentialError::Malformed));
        };
        let is_valid = claims.exp > now.unix_seconds();
        Some(if is_valid { Ok(claims) } else { Err(CredentialError::Expired) })
    }

    fn mac(&self, purpose: Purpose, master_id: &str, message: &str) -> Option<Hmac<Sha256>> {
        let key = self.hmac(master_id)?.chain_update(purpose.context()).finalize().into_bytes();
        Some(Hmac::<Sha256>::new_from_slice(&key).ok()?.chain_update(message))
    }
}

impl Keyring {
    /// Issues the token of a session as this caller, which lasts until `end` and at most twelve hours; `None` if the deployment
    /// has no master key. No I/O.
    pub fn issue_session(&self, caller: &Caller, end: Timestamp, now: Timestamp) -> Option<IssuedToken> {
        self.issue_session_until(caller, end.min(now.plus(MAX_SESSION)), now, None)
    }

    fn issue_session_until(
        &self,
        caller: &Caller,
        end: Timestamp,
        now: Timestamp,
        first: Option<TokenHash>,
    ) -> Option<IssuedToken> {
        let master_keys = self.master_keys();
        let expires = end.min(now.plus(TOKEN_LIFETIME));
        master_keys.sign(Purpose::Session, master_keys.newest()?, caller, (now, expires, end), first)
    }
}

impl Authenticator {
    /// Returns the bearer of a session token; `None` for any other token. Costs at most one read of the table, and a call for the
    /// master keys, if they are kept in AWS and the token's is not among those last read.
    ///
    /// # Errors
    /// [`AuthError`] if the token is invalid or revoked, or cannot be checked now.
    pub(super) async fn session_bearer(
        &self,
        token: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<Option<Bearer>, AuthError> {
        let Some(claims) = self.verified_claims(Purpose::Session, token, now).await? else { return Ok(None) };
        if self.keyring().is_revoked(store, claims.revocation_hash(token), now).await? {
            return Err(CredentialError::Revoked.into());
        }
        Ok(Some(Bearer {
            caller: claims.caller().ok_or(CredentialError::Malformed)?,
            issued: Some(timestamp(claims.iat)),
            expires: timestamp(claims.exp),
            access_rules: None,
        }))
    }

    /// Issues a new session token in place of one that was issued at least `after` ago; `None` for a newer one, for one whose
    /// session is about to end, and for any other token. No read.
    ///
    /// # Errors
    /// [`AuthError`] if the token is invalid.
    pub(super) async fn renew_session(
        &self,
        token: &str,
        after: Duration,
        now: Timestamp,
    ) -> Result<Option<IssuedToken>, AuthError> {
        let Some(claims) = self.verified_claims(Purpose::Session, token, now).await? else { return Ok(None) };
        let is_new = now < timestamp(claims.iat).plus(after);
        if is_new || claims.exp >= claims.end {
            return Ok(None);
        }
        let caller = claims.caller().ok_or(CredentialError::Malformed)?;
        let first = Some(claims.revocation_hash(token));
        Ok(self.keyring().issue_session_until(&caller, timestamp(claims.end), now, first))
    }

    /// Revokes a session token, and with it all tokens of its session. One put. Returns whether the token is one.
    ///
    /// # Errors
    /// [`AuthError`] if the token is invalid, or could not be revoked.
    pub(super) async fn revoke_session(
        &self,
        token: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<bool, AuthError> {
        let Some(claims) = self.verified_claims(Purpose::Session, token, now).await? else {
            return Ok(false);
        };
        self.keyring().revoke(store, claims.revocation_hash(token), revoked_until(claims.exp, now)).await?;
        Ok(true)
    }

    /// Begins a session with any token that a request may have, which ends no later than the token. The token itself is that of the
    /// session if it was issued for an access key, since the session ends with the key, or if the deployment has no master key.
    /// Costs what [`Self::token_bearer`] costs.
    ///
    /// # Errors
    /// [`AuthError`] if the token is invalid, limited by access rules or too long, or cannot be checked now.
    pub async fn begin_session(
        &self,
        token: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<IssuedToken, AuthError> {
        let Bearer { caller, issued, expires, access_rules } = self.token_bearer(token, store, now).await?;
        if access_rules.is_some() {
            return Err(CredentialError::AccessRulesDenied.into());
        }
        let session = if caller.access_key.is_none() {
            self.keyring().issue_session(&caller, expires, now)
        } else {
            None
        };
        match session {
            Some(session) => Ok(session),
            None if token.len() <= MAX_COOKIE_BYTES => {
                Ok(IssuedToken { token: token.to_owned(), issued: issued.unwrap_or(now), expires })
            }
            None => Err(CredentialError::TooLong.into()),
        }
    }

    /// Returns the caller that a link signs in. It can still be used. No read.
    ///
    /// # Errors
    /// [`AuthError`] if the link is invalid, or more than a minute old.
    pub async fn link_caller(&self, token: &str, now: Timestamp) -> Result<Caller, AuthError> {
        let claims = self.link_claims(token, now).await?;
        Ok(claims.caller().ok_or(CredentialError::Malformed)?)
    }

    /// Uses a link up, and issues the token of a session as its caller. One put.
    ///
    /// # Errors
    /// [`AuthError`] if the link is invalid, has been used, or could not be used up now.
    pub async fn use_link(
        &self,
        token: &str,
        store: &Store,
        now: Timestamp,
    ) -> Result<IssuedToken, AuthError> {
        let claims = self.link_claims(token, now).await?;
        let caller = claims.caller().ok_or(CredentialError::Malformed)?;
        let nonces: AccessKeyId = LINK_NONCES.parse().map_err(|_| CredentialError::Malformed)?;
        if !store.use_nonce(&nonces, &claims.jti, now, LINK_LIFETIME).await? {
            return Err(CredentialError::Revoked.into());
        }
        let session = self.keyring().issue_session(&caller, now.plus(MAX_SESSION), now);
        Ok(session.ok_or(CredentialError::UnknownKey)?)
    }

    async fn link_claims(&self, token: &str, now: Timestamp) -> Result<Claims, AuthError> {
        let claims = self.verified_claims(Purpose::Link, token, now).await?;
        Ok(claims.ok_or(CredentialError::Malformed)?)
    }

    /// Returns the claims of a token of a purpose; `None` for any other token. If its master key is unknown, the master keys are
    /// read again, if that is possible and was not done just now.
    async fn verified_claims(
        &self,
        purpose: Purpose,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Claims>, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(CredentialError::TooLong.into());
        }
        let mut verified = self.keyring().master_keys().verify(purpose, token, now);
        if matches!(verified, Some(Err(CredentialError::UnknownKey))) && self.keyring().is_refreshed() {
            self.keyring().load_new_master_keys(now).await;
            verified = self.keyring().master_keys().verify(purpose, token, now);
        }
        Ok(verified.transpose()?)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const NOW_MILLIS: i64 = 1_795_000_000_000;

    fn master_keys(byte: u8) -> MasterKeys {
        MasterKeys::parse(&format!("a:{}", STANDARD.encode([byte; 32]))).unwrap()
    }

    fn authenticator() -> Authenticator {
        Authenticator::without_keys().with_master_keys(master_keys(1))
    }

    fn caller() -> Caller {
        let (account, user) = (Some("acme".to_owned()), Some("ann".to_owned()));
        Caller { tenant: "own1".parse().unwrap(), account, user, access_key: None, role: Role::Reader }
    }

    fn claims(purpose: Purpose, token: &str, now: Timestamp) -> Option<Result<Claims, CredentialError>> {
        master_keys(1).verify(purpose, token, now)
    }

    #[test]
    fn session_has_its_caller_and_ends_with_its_credential() {
        let now = Timestamp::from_unix_millis(NOW_MILLIS);
        let keyring = Keyring::new(master_keys(1));
        for (minutes, expected) in [(5, 5), (60, 60), (90, 60), (6_000, 60)] {
            let end = now.plus(Duration::from_mins(minutes));
            let issued = keyring.issue_session(&caller(), end, now).unwrap();
            assert_eq!(issued.expires, now.plus(Duration::from_mins(expected)));
            let claims = claims(Purpose::Session, &issued.token, now).unwrap().unwrap();
            assert_eq!(claims.caller(), Some(caller()));
            assert_eq!(timestamp(claims.end), end.min(now.plus(MAX_SESSION)));
            let after = self::claims(Purpose::Session, &issued.token, issued.expires).unwrap();
            assert_eq!(after.err(), Some(CredentialError::Expired));
        }
        assert_eq!(Keyring::default().issue_session(&caller(), now.plus(MAX_SESSION), now), None);
    }

    #[tokio::test]
    async fn session_is_renewed_until_its_end() {
        let (start, authenticator) = (Timestamp::from_unix_millis(NOW_MILLIS), authenticator());
        let after = Duration::from_mins(20);
        let end = start.plus(Duration::from_mins(90));
        let first_token = authenticator.keyring().issue_session(&caller(), end, start).unwrap();
        let at = |minutes| start.plus(Duration::from_mins(minutes));
        assert_eq!(authenticator.renew_session(&first_token.token, after, at(19)).await.unwrap(), None);
        let second = authenticator.renew_session(&first_token.token, after, at(25)).await.unwrap().unwrap();
        assert_eq!(second.expires, at(85));
        let third = authenticator.renew_session(&second.token, after, at(50)).await.unwrap().unwrap();
        let first = |token: &str| claims(Purpose::Session, token, at(50)).unwrap().unwrap().first;
        let hash = TokenHash::from_token(&first_token.token).to_base64();
        assert_eq!(
            [&first_token, &second, &third].map(|issued| first(&issued.token)),
            [None, Some(hash.clone()), Some(hash)]
        );
        assert_eq!(third.expires, end);
        assert_eq!(authenticator.renew_session(&third.token, after, at(80)).await.unwrap(), None);
        assert!(authenticator.renew_session(&third.token, after, end).await.is_err());
    }

    #[test]
    fn token_is_valid_for_its_purpose_only() {
        let now = Timestamp::from_unix_millis(NOW_MILLIS);
        let keys = master_keys(1);
        let link = keys.issue_link(&caller(), now).unwrap();
        assert_eq!(link.expires, now.plus(LINK_LIFETIME));
        assert!(claims(Purpose::Session, &link.token, now).is_none());
        let (_, rest) = link.token.split_once('.').unwrap();
        let header = Header { alg: "HS256".to_owned(), kid: "imageshare-session:a".to_owned() };
        let renamed = format!("{}.{rest}", encode_part(&header).unwrap());
        let error = |token: &str| claims(Purpose::Session, token, now).unwrap().err().unwrap();
        assert_eq!(error(&renamed), CredentialError::InvalidSignature);
        let other =
            Keyring::new(master_keys(2)).issue_session(&caller(), now.plus(MAX_SESSION), now).unwrap();
        assert_eq!(error(&other.token), CredentialError::InvalidSignature);
        let none = Header { alg: "none".to_owned(), kid: "imageshare-session:a".to_owned() };
        assert_eq!(
            error(&format!("{}.e30.", encode_part(&none).unwrap())),
            CredentialError::UnknownAlgorithm
        );
    }
}
