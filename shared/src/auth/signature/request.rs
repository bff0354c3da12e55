//! A signed request, and why its signature is rejected.

use http::HeaderMap;

use crate::domain::TenantId;

/// The parts of a request that a signature may cover.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with its stage, raw or percent-decoded.
    pub path: &'a str,
    /// The raw query of the URL, without the question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The raw body.
    pub body: &'a [u8],
}

/// Why a signature is rejected. Each message tells the client what to do. None reveals the secret, the right signature,
/// or the canonical request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A part that every signature has is missing or malformed.
    #[error("the signature is incomplete: expected {0}")]
    Incomplete(&'static str),
    /// The signature's algorithm is not accepted for this request.
    #[error("the signature's algorithm is not accepted: sign with {accepted}")]
    UnsupportedAlgorithm {
        /// The algorithm that is accepted.
        accepted: &'static str,
    },
    /// A header that must be signed is not.
    #[error("the header {0} is not signed: list it in SignedHeaders")]
    HeaderNotSigned(String),
    /// A header is listed as signed, but was not received.
    #[error(
        "the header {0} is listed in SignedHeaders but was not received: send every header that you sign"
    )]
    HeaderMissing(String),
    /// The date is malformed.
    #[error("the date of the signature cannot be read: expected {0}")]
    InvalidDate(&'static str),
    /// The date is too old, or too far in the future.
    #[error("the signature's date is more than 15 minutes off: check your clock, and sign the request again")]
    Expired,
    /// The body is not the one that was signed.
    #[error("the body is not the one whose hash was signed: send it unchanged")]
    BodyMismatch,
    /// The body is unsigned, which is accepted only for image data or no body.
    #[error("the body must be signed: UNSIGNED-PAYLOAD is for the data of an image only")]
    UnsignedBody,
    /// There is no such access key.
    #[error("the access key does not exist: check its id, or create a new one")]
    UnknownKey,
    /// The signature does not match the request and the access key's secret.
    #[error("the signature does not match: check the secret, and send the request as it was signed")]
    SignatureMismatch,
    /// The access key was disabled.
    #[error("the access key is disabled: use another one")]
    DisabledKey,
    /// The access key has expired.
    #[error("the access key has expired: use another one")]
    ExpiredKey,
    /// The access key was derived from a master key that is no longer listed.
    #[error("the access key was derived from a master key that is no longer in use: create a new access key")]
    RetiredMasterKey,
    /// The request names a project that the access key does not act for.
    #[error(
        "the access key acts for project {acting} alone: send its id in X-Project-Id, or omit the header"
    )]
    ProjectMismatch {
        /// The project that the access key acts for.
        acting: TenantId,
    },
    /// The nonce was used before: the request is repeated or replayed.
    #[error("the nonce was used before: sign every request with a new nonce")]
    NonceReused,
}
