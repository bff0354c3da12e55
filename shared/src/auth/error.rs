//! Why a request is not authenticated.

use super::algorithm::Algorithm;
use super::signature::SignatureError;
use crate::store::StoreError;

/// The token limit: more than any token needs, and less than the 10 KB of headers that an API gateway accepts.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why a credential is rejected. Each message tells the client what to do, and contains no part of the credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Neither header has a credential.
    #[error(
        "no token: send one in the header X-Auth-Token, or as Authorization: Bearer TOKEN, or sign with an access key"
    )]
    Missing,
    /// `Authorization` is neither a bearer token nor a signature.
    #[error("unknown kind of Authorization: expected Bearer TOKEN or a signature SDK-HMAC-SHA256")]
    UnknownScheme,
    /// The headers have several different credentials.
    #[error(
        "the request has several credentials: send one token, in X-Auth-Token or in Authorization, or one signature"
    )]
    Ambiguous,
    /// The token is too long to be parsed.
    #[error("the token is too long: expected at most {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// The token cannot be parsed.
    #[error(
        "malformed token: expected a signed JSON Web Token, HEADER.CLAIMS.SIGNATURE in base64url; get a new one"
    )]
    Malformed,
    /// The token's `alg` is not an accepted [`Algorithm`].
    #[error(
        "the token's alg is not accepted: expected RS256, RS384, RS512, PS256, ES256, ES384, EdDSA or HS256"
    )]
    UnknownAlgorithm,
    /// The token's `alg` is not the one of its key.
    #[error("the token's alg does not belong to its key: expected {0}")]
    WrongAlgorithm(Algorithm),
    /// No key has the token's `kid`; or, without a `kid`, no key is for its `alg`.
    #[error("the token is signed with a key that this server does not know: get a token from its issuer")]
    UnknownKey,
    /// The token has no `kid`, and several keys fit its `alg`.
    #[error("the token does not say which key it is signed with: expected a kid in its header")]
    MissingKeyId,
    /// The signature does not match the token's contents and key.
    #[error("the token's signature is wrong: send the token unchanged, or get a new one")]
    InvalidSignature,
    /// A claim is missing or has a wrong type or value.
    #[error("the token's claim {claim} is missing or wrong: expected {expected}")]
    InvalidClaim {
        /// The name of the claim, or its path.
        claim: String,
        /// The value or type that was expected.
        expected: &'static str,
    },
    /// The token's `exp` is in the past.
    #[error("the token has expired: get a new one")]
    Expired,
    /// The token's `nbf` or `iat` is in the future.
    #[error("the token is not valid yet: its nbf or iat is in the future, check the clocks")]
    NotYetValid,
    /// The token's `iss` is not the configured issuer.
    #[error("the token's issuer (iss) is not the one that this server trusts")]
    WrongIssuer,
    /// The token's `aud` does not name the configured audience.
    #[error("the token is not meant for this server: its audience (aud) does not name it")]
    WrongAudience,
    /// The token is valid, but has none of the service's roles.
    #[error("the token has no role of this service: ask its issuer for one of admin, member, reader")]
    NoRole,
    /// The deployment's Keystone does not know the token: it is made up, expired or revoked.
    #[error("this deployment's Keystone does not accept the token: get a new one")]
    UnknownToken,
    /// The access key that the token was issued for is disabled.
    #[error("the access key that the token was issued for is disabled: get a token with another key")]
    KeyDisabled,
    /// The access key that the token was issued for has expired.
    #[error("the access key that the token was issued for has expired: get a token with another key")]
    KeyExpired,
    /// The token was revoked.
    #[error("the token was revoked: get a new one")]
    Revoked,
    /// The token cannot be revoked here: it is a provider's, whose tokens are verified without asking the provider.
    #[error("the token was not issued here: revoke it with its issuer")]
    NotRevocable,
    /// The token is valid, but acts for no project.
    #[error("the token acts for no project: get one that is scoped to a project")]
    NoProject,
    /// The access rules of the token's application credential do not allow the request.
    #[error(
        "the access rules of the token's application credential do not allow this request: use another one"
    )]
    AccessRulesDenied,
    /// The request's signature is incomplete or invalid.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl CredentialError {
    /// Returns whether the credential is valid but does not permit the request (403), rather than invalid (401).
    pub fn is_forbidden(&self) -> bool {
        matches!(
            self,
            Self::NoRole
                | Self::NoProject
                | Self::AccessRulesDenied
                | Self::NotRevocable
                | Self::Signature(SignatureError::ProjectMismatch { .. })
        )
    }
}

/// Why authentication failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The credential is missing or invalid, or does not permit the request.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The table failed while the access key, nonce or revoked token was looked up.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The token's issuer does not answer, or not usefully. The reason is for the log, not for the client.
    #[error("the token cannot be checked now: {0}")]
    IssuerUnavailable(String),
}

impl From<SignatureError> for AuthError {
    fn from(error: SignatureError) -> Self {
        Self::Credential(error.into())
    }
}
