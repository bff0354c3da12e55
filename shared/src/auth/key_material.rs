//! The part of a key that verifies signatures.
//!
//! `ring` verifies them, which TLS needs anyway. The crates behind `jsonwebtoken` are a twentieth of a function's
//! binary, and take ten times as long to check an RSA signature. What `ring` does not check of a public key until it
//! verifies a signature is checked here, when the key set is read, so that a mistake is reported with the key.

use curve25519_dalek::edwards::CompressedEdwardsY;
use ring::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};

/// The first byte of an uncompressed point on a curve (SEC 1, 2.3.3).
const UNCOMPRESSED_POINT: u8 = 4;

/// The members of a key are not a point on its curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadPublicKey;

/// The curve of an ECDSA key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    /// The size of a coordinate in bytes.
    fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
        }
    }

    /// Whether an uncompressed point is on the curve. `ring` tells only by agreeing on a secret with its owner, for
    /// which it needs a key pair of our own. It is used for nothing else.
    fn has_point(self, point: &[u8]) -> bool {
        let agreement = match self {
            Self::P256 => &ECDH_P256,
            Self::P384 => &ECDH_P384,
        };
        let owner = agreement::UnparsedPublicKey::new(agreement, point);
        EphemeralPrivateKey::generate(agreement, &SystemRandom::new())
            .and_then(|own_key| agreement::agree_ephemeral(own_key, &owner, |_| ()))
            .is_ok()
    }
}

/// A key's material, with the parameters of its one algorithm.
pub(super) enum KeyMaterial {
    Rsa(&'static RsaParameters, RsaPublicKeyComponents<Vec<u8>>),
    Curve(UnparsedPublicKey<Vec<u8>>),
    Secret(hmac::Key),
}

impl KeyMaterial {
    /// A key for RSA PKCS #1 v1.5 with SHA-256.
    pub(super) fn rs256(key: RsaPublicKeyComponents<Vec<u8>>) -> Self {
        Self::Rsa(&RSA_PKCS1_2048_8192_SHA256, key)
    }

    /// A key for RSA PKCS #1 v1.5 with SHA-384.
    pub(super) fn rs384(key: RsaPublicKeyComponents<Vec<u8>>) -> Self {
        Self::Rsa(&RSA_PKCS1_2048_8192_SHA384, key)
    }

    /// A key for RSA PKCS #1 v1.5 with SHA-512.
    pub(super) fn rs512(key: RsaPublicKeyComponents<Vec<u8>>) -> Self {
        Self::Rsa(&RSA_PKCS1_2048_8192_SHA512, key)
    }

    /// A key for RSA-PSS with SHA-256.
    pub(super) fn ps256(key: RsaPublicKeyComponents<Vec<u8>>) -> Self {
        Self::Rsa(&RSA_PSS_2048_8192_SHA256, key)
    }

    /// A key for HMAC with SHA-256.
    pub(super) fn hs256(secret: &[u8]) -> Self {
        Self::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The ECDSA key at the point with these big-endian coordinates.
    ///
    /// # Errors
    /// [`BadPublicKey`] if a coordinate has another length than the curve's, or the point is not on the curve.
    pub(super) fn ecdsa(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, BadPublicKey> {
        let point = [&[UNCOMPRESSED_POINT], x, y].concat();
        let has_length = [x, y].iter().all(|coordinate| coordinate.len() == curve.coordinate_len());
        if has_length && curve.has_point(&point) {
            Ok(Self::Curve(UnparsedPublicKey::new(curve.verification(), point)))
        } else {
            Err(BadPublicKey)
        }
    }

    /// The Ed25519 key at a compressed point.
    ///
    /// # Errors
    /// [`BadPublicKey`] if these are not 32 bytes, or the point is not on the curve.
    pub(super) fn ed25519(point: &[u8]) -> Result<Self, BadPublicKey> {
        let compressed = CompressedEdwardsY::from_slice(point).map_err(|_| BadPublicKey)?;
        compressed.decompress().ok_or(BadPublicKey)?;
        Ok(Self::Curve(UnparsedPublicKey::new(&ED25519, point.to_vec())))
    }

    /// Whether a signature is this key's signature of the message. A secret's is compared in constant time.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(parameters, key) => key.verify(parameters, message, signature).is_ok(),
            Self::Curve(key) => key.verify(message, signature).is_ok(),
            Self::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}
