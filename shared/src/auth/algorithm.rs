//! The signature algorithms of tokens.

use crate::domain::value_enum;

/// The accepted signature algorithms. `none` cannot be represented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    Rs512,
    /// RSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// Ed25519.
    EdDsa,
    /// HMAC with SHA-256.
    Hs256,
}

value_enum!(Algorithm {
    Rs256 = "RS256", Rs384 = "RS384", Rs512 = "RS512", Ps256 = "PS256", Es256 = "ES256", Es384 = "ES384", EdDsa = "EdDSA"
    or Hs256 = "HS256"
});
