//! Why a request has no caller.

use super::algorithm::Algorithm;
use super::signature::SignatureError;
use crate::store::StoreError;

/// More than any token needs, and less than the 10 KB of headers that an API gateway lets through.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Why a request has no caller. Each message tells the caller what to do, and holds nothing of the credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Neither header holds a credential.
    #[error(
        "no token: send one in the header X-Auth-Token, or as Authorization: Bearer TOKEN, or sign with an access key"
    )]
    Missing,
    /// `Authorization` is neither a bearer token nor a signature.
    #[error("unknown kind of Authorization: expected Bearer TOKEN or a signature SDK-HMAC-SHA256")]
    UnknownScheme,
    /// The headers hold several credentials that differ.
    #[error(
        "the request holds several credentials: send one token, in X-Auth-Token or in Authorization, or one signature"
    )]
    Ambiguous,
    /// The token is too long to be looked at.
    #[error("the token is too long: expected at most {MAX_TOKEN_BYTES} bytes")]
    TooLong,
    /// The token cannot be read.
    #[error(
        "malformed token: expected a signed JSON Web Token, HEADER.CLAIMS.SIGNATURE in base64url; get a new one"
    )]
    Malformed,
    /// The token's `alg` is none that is ever accepted.
    #[error(
        "the token's alg is not accepted: expected RS256, RS384, RS512, PS256, ES256, ES384, EdDSA or HS256"
    )]
    UnknownAlgorithm,
    /// The token's `alg` is not that of the key that it names.
    #[error("the token's alg does not belong to its key: expected {0}")]
    WrongAlgorithm(Algorithm),
    /// No key of that `kid`, or none for that `alg`.
    #[error("the token is signed with a key that this server does not know: get a token from its issuer")]
    UnknownKey,
    /// The token has no `kid`, and several keys are for its `alg`.
    #[error("the token does not say which key it is signed with: expected a kid in its header")]
    MissingKeyId,
    /// The signature is not that of the token's contents by that key.
    #[error("the token's signature is wrong: send the token unchanged, or get a new one")]
    InvalidSignature,
    /// A claim is missing or not of its type.
    #[error("the token's claim {claim} is missing or wrong: expected {expected}")]
    InvalidClaim {
        /// The name of the claim, or its path.
        claim: String,
        /// What it should have been.
        expected: &'static str,
    },
    /// The token's time is over.
    #[error("the token has expired: get a new one")]
    Expired,
    /// The token's time has not come.
    #[error("the token is not valid yet: its nbf or iat is in the future, check the clocks")]
    NotYetValid,
    /// The token comes from somebody else.
    #[error("the token's issuer (iss) is not the one that this server trusts")]
    WrongIssuer,
    /// The token is meant for somebody else.
    #[error("the token is not meant for this server: its audience (aud) does not name it")]
    WrongAudience,
    /// The token is good, but gives no role that means anything here.
    #[error("the token gives no role here: ask its issuer for one of admin, member, reader")]
    NoRole,
    /// The Keystone of this deployment does not know the token, or not any more.
    #[error("the token is not known to this deployment's Keystone: get a new one")]
    UnknownToken,
    /// The access key that the token was issued for is disabled.
    #[error("the access key that the token was issued for is disabled: get a token with another key")]
    KeyDisabled,
    /// The token was revoked.
    #[error("the token was revoked: get a new one")]
    Revoked,
    /// The token is of an issuer that is not asked about single tokens.
    #[error("the token was not issued here, and ends by itself: revoke it with its issuer")]
    NotRevocable,
    /// The token is good, but acts for no project.
    #[error("the token acts for no project: get one that is scoped to a project")]
    NoProject,
    /// The access rules of the application credential that the token was got with do not allow the request.
    #[error(
        "the access rules of the token's application credential do not allow this request: use another one"
    )]
    AccessRulesDenied,
    /// The request is signed, but not as it must be.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl CredentialError {
    /// Whether the caller is known but may do nothing (403), rather than unknown (401).
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

/// Why a request is not admitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It proves nobody, or nobody who may do anything.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The table failed while the access key was looked for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever knows about the token cannot be asked just now.
    #[error("the token cannot be checked just now: {0}")]
    IssuerUnavailable(String),
}

impl From<SignatureError> for AuthError {
    fn from(fault: SignatureError) -> Self {
        Self::Credential(fault.into())
    }
}
