//! The hash that caches and the table keep in place of a token.

use std::fmt;
use std::hash::{Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a token. Compared in constant time.
#[derive(Clone, Copy)]
pub(super) struct TokenHash([u8; 32]);

impl TokenHash {
    pub(super) fn from_token(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The hash under which a token is revoked: that of the first token of its session, if it names one, or else its own. So
    /// all tokens of a session are revoked with each of them.
    pub(super) fn for_revocation(token: &str, first: Option<&str>) -> Self {
        first.and_then(Self::from_base64).unwrap_or_else(|| Self::from_token(token))
    }

    fn from_base64(text: &str) -> Option<Self> {
        Some(Self(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    /// Encodes the hash in base64url, as the table stores it.
    pub(super) fn to_base64(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}
