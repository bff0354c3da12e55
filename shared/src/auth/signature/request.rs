//! A signed request, and why it is not believed.

use http::HeaderMap;

use crate::domain::TenantId;

/// A request as a signature covers it.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The path with its stage, as it came or percent-decoded.
    pub path: &'a str,
    /// The query as it stands in the URL, without the question mark.
    pub query: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The bytes of the body.
    pub body: &'a [u8],
}

/// Why a signed request is not believed. Each message tells the caller what to do; none says anything of the secret, of
/// the right signature, or of what was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Something that every signature has is missing or cannot be read.
    #[error("the signature is incomplete: expected {0}")]
    Incomplete(&'static str),
    /// An algorithm that is never accepted.
    #[error("the signature's algorithm is not accepted: sign with {accepted}")]
    UnsupportedAlgorithm {
        /// What is.
        accepted: &'static str,
    },
    /// A header that must be covered by the signature is not.
    #[error("the header {0} is not signed: list it in SignedHeaders")]
    HeaderNotSigned(String),
    /// A header is listed as signed, but did not come.
    #[error(
        "the header {0} is listed in SignedHeaders but was not received: send every header that you sign"
    )]
    HeaderMissing(String),
    /// The date cannot be read.
    #[error("the date of the signature cannot be read: expected {0}")]
    InvalidDate(&'static str),
    /// The date is too old, or too far in the future.
    #[error("the signature's date is more than 15 minutes off: check your clock, and sign the request again")]
    Expired,
    /// The body is not the one that was signed.
    #[error("the body is not the one whose hash was signed: send it unchanged")]
    BodyMismatch,
    /// The body was not signed, although it could have been.
    #[error("the body must be signed: UNSIGNED-PAYLOAD is for the data of an image only")]
    UnsignedBody,
    /// There is no such access key.
    #[error("the access key does not exist: check its id, or create a new one")]
    UnknownKey,
    /// The signature is another one than that of this request by this key.
    #[error("the signature does not match: check the secret, and send the request as it was signed")]
    SignatureMismatch,
    /// The access key was disabled.
    #[error("the access key is disabled: use another one")]
    DisabledKey,
    /// The access key was made with a master key that the deployment has given up.
    #[error("the access key is of a master key that is no longer in use: create a new access key")]
    RetiredMasterKey,
    /// The request names a project that the access key does not act for.
    #[error("the access key acts for project {acting} alone: send that in X-Project-Id, or leave it out")]
    ProjectMismatch {
        /// The project of the key.
        acting: TenantId,
    },
    /// The same signed request came before.
    #[error("the nonce was used before: sign every request anew, with a nonce of its own")]
    NonceReused,
}
