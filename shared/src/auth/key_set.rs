//! The keys that a deployment trusts, from a JSON Web Key Set (RFC 7517).
//!
//! Parsing binds each key to one algorithm, and a token may use a key only with that algorithm. So a public RSA key is
//! never used as an HMAC secret, whatever the token's header says.
//!
//! Verified tokens are cached in the set whose keys verified them. Replacing the set, because a key was added or
//! withdrawn, drops its cache, so that no token outlives its key.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::RsaPublicKeyComponents;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::algorithm::Algorithm;
use super::bearer::Bearer;
use super::error::CredentialError;
use super::key_material::{BadPublicKey, Curve, KeyMaterial};
use super::token_hash::TokenHash;
use super::ttl_cache::TtlCache;
use crate::domain::Timestamp;

/// The capacity of a set's cache of verified tokens: some 8 MB if their claims are as long as a token may be.
const MAX_VERIFIED_TOKENS: usize = 1_000;

/// How long a verified token is cached, unless it expires earlier.
const TOKEN_TTL: Duration = Duration::from_mins(5);

/// Why a key set is rejected. Names the key by its index and `kid`, and shows nothing else of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadKeySet {
    /// The text is not a key set.
    #[error(r#"the key set is not JSON of the form {{"keys": […]}} (line {line}, column {column})"#)]
    Malformed {
        /// The line where parsing stopped, from 1.
        line: usize,
        /// The column where parsing stopped, from 1.
        column: usize,
    },
    /// The set has no key for signatures.
    #[error("the key set has no key for signatures: expected at least one")]
    NoKeys,
    /// A key that cannot be used safely.
    #[error("key {index} of the key set (kid {}) {fault}", .kid.as_deref().unwrap_or("absent"))]
    Key {
        /// The key's index in the set, from 0.
        index: usize,
        /// The key's `kid`, if it has one.
        kid: Option<String>,
        /// What is wrong with it.
        fault: JwkError,
    },
}

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// A member has a wrong type.
    #[error("is malformed: expected an object whose key_ops is an array and whose other members are strings")]
    Malformed,
    /// The kind or curve is not supported.
    #[error(
        "is of an unsupported kind: expected kty RSA, EC with crv P-256 or P-384, OKP with crv Ed25519, or oct"
    )]
    UnsupportedKind,
    /// The key's `alg` is not supported for its kind.
    #[error("is for an unsupported algorithm: expected alg {0} or, for the first, no alg")]
    UnsupportedAlgorithm(&'static str),
    /// A member is missing or not base64url.
    #[error("needs the member {0} in base64url without padding")]
    InvalidMember(&'static str),
    /// The members are not a valid public key.
    #[error("is not a valid public key")]
    InvalidPublicKey,
    /// The secret is short enough to be guessed.
    #[error("is too weak: expected a secret of 256 bits or more")]
    WeakSecret,
    /// The modulus is short enough to be factored, or too long to be verified quickly.
    #[error("has an unusable modulus: expected 2048 to 4096 bits")]
    ModulusSize,
    /// A private key, which has no place in a verifier's configuration.
    #[error("has its private part (d): configure the public part only, and treat the key as leaked")]
    PrivateKey,
    /// A secret in a published set, where anyone can read it.
    #[error("is a published secret: anyone who reads it can sign with it")]
    PublishedSecret,
    /// An earlier key has the same `kid`.
    #[error("has the same kid as a key before it")]
    DuplicateKid,
}

/// A key of the set, bound to its algorithm.
pub(super) struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    material: KeyMaterial,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// Parses a key; `None` if it is not for signatures.
    fn from_jwk(jwk: Value) -> Result<Option<Self>, JwkError> {
        let jwk = Jwk::deserialize(jwk).map_err(|_| JwkError::Malformed)?;
        if jwk.is_for_signatures() { jwk.into_key().map(Some) } else { Ok(None) }
    }

    /// Returns whether `signature`, in base64url, is this key's signature of the message.
    pub(super) fn verifies(&self, message: &str, signature: &str) -> bool {
        let signature = URL_SAFE_NO_PAD.decode(signature);
        signature.is_ok_and(|signature| self.material.verifies(message.as_bytes(), &signature))
    }
}

/// The trusted keys: at least one, each with its own `kid` or none.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    verified_tokens: TtlCache<TokenHash, Bearer, Timestamp, MAX_VERIFIED_TOKENS>,
    /// The number of key look-ups, one for each token that was not cached.
    #[cfg(test)]
    pub(super) verification_count: std::sync::atomic::AtomicUsize,
}

impl KeySet {
    /// Parses a set that was configured for this service.
    ///
    /// # Errors
    /// [`BadKeySet`] if a key for signatures is unusable: that is a configuration mistake.
    pub(super) fn parse(jwks_json: &str) -> Result<Self, BadKeySet> {
        Self::parse_with(jwks_json, false, Err)
    }

    /// Parses a set that an issuer publishes. Unusable keys, including published secrets, are logged and skipped
    /// (RFC 7517, section 5), since the issuer may add a key of another kind at any time.
    ///
    /// # Errors
    /// [`BadKeySet`] if the text is not a key set, or no key is usable.
    pub(super) fn parse_published(jwks_json: &str) -> Result<Self, BadKeySet> {
        Self::parse_with(jwks_json, true, |unusable| {
            tracing::warn!(%unusable, "a published key is not used");
            Ok(())
        })
    }

    fn parse_with(
        jwks_json: &str,
        is_published: bool,
        unusable: impl Fn(BadKeySet) -> Result<(), BadKeySet>,
    ) -> Result<Self, BadKeySet> {
        #[derive(Deserialize)]
        struct Jwks {
            keys: Vec<Value>,
        }
        let jwks: Jwks = serde_json::from_str(jwks_json)
            .map_err(|error| BadKeySet::Malformed { line: error.line(), column: error.column() })?;
        let mut keys = Vec::<Key>::new();
        for (index, jwk) in jwks.keys.into_iter().enumerate() {
            let kid = jwk.get("kid").and_then(Value::as_str).map(str::to_owned);
            let is_duplicate = kid.is_some() && keys.iter().any(|key| key.kid == kid);
            let key = match Key::from_jwk(jwk) {
                Ok(None) => continue,
                Ok(Some(_)) if is_duplicate => Err(JwkError::DuplicateKid),
                Ok(Some(key)) if is_published && key.algorithm == Algorithm::Hs256 => {
                    Err(JwkError::PublishedSecret)
                }
                Ok(Some(key)) => Ok(key),
                Err(fault) => Err(fault),
            };
            match key {
                Ok(key) => keys.push(key),
                Err(fault) => unusable(BadKeySet::Key { index, kid, fault })?,
            }
        }
        if keys.is_empty() {
            return Err(BadKeySet::NoKeys);
        }
        Ok(Self {
            keys,
            verified_tokens: TtlCache::default(),
            #[cfg(test)]
            verification_count: std::sync::atomic::AtomicUsize::default(),
        })
    }

    /// Returns the cached bearer of a token that these keys have verified.
    pub(super) fn verified_bearer(&self, token: &TokenHash, now: Timestamp) -> Option<Bearer> {
        self.verified_tokens.get(token, now)
    }

    /// Caches the bearer of a token that these keys have just verified, for [`TOKEN_TTL`] or until the token expires.
    pub(super) fn cache_bearer(&self, token: TokenHash, bearer: &Bearer, now: Timestamp) {
        self.verified_tokens.insert(token, bearer.clone(), now..bearer.expires.min(now.plus(TOKEN_TTL)));
    }

    /// Returns the key that a token's header names.
    ///
    /// A token without a `kid` is accepted only if one key fits its algorithm. Trying several would let an
    /// unauthenticated caller choose how many signatures are verified, and issuers with several keys send a `kid`.
    pub(super) fn find(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<&Key, CredentialError> {
        #[cfg(test)]
        self.verification_count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let Some(kid) = kid else {
            let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
            let key = fitting.next().ok_or(CredentialError::UnknownKey)?;
            return if fitting.next().is_none() { Ok(key) } else { Err(CredentialError::MissingKeyId) };
        };
        let named = self.keys.iter().find(|key| key.kid.as_deref() == Some(kid));
        let key = named.ok_or(CredentialError::UnknownKey)?;
        if key.algorithm == algorithm { Ok(key) } else { Err(CredentialError::WrongAlgorithm(key.algorithm)) }
    }
}

/// A JSON Web Key as written. Stricter than the types of the usual crates, which accept unknown or contradictory keys
/// where a configuration mistake has to be reported.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    k: Option<String>,
    d: Option<IgnoredAny>,
}

impl Jwk {
    fn is_for_signatures(&self) -> bool {
        self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }

    fn into_key(self) -> Result<Key, JwkError> {
        let algorithm = self.algorithm()?;
        if self.d.is_some() {
            return Err(JwkError::PrivateKey);
        }
        let material = match algorithm {
            Algorithm::Rs256 => KeyMaterial::rs256(self.rsa_components()?),
            Algorithm::Rs384 => KeyMaterial::rs384(self.rsa_components()?),
            Algorithm::Rs512 => KeyMaterial::rs512(self.rsa_components()?),
            Algorithm::Ps256 => KeyMaterial::ps256(self.rsa_components()?),
            Algorithm::Es256 => self.ec_key(Curve::P256)?,
            Algorithm::Es384 => self.ec_key(Curve::P384)?,
            Algorithm::EdDsa => KeyMaterial::ed25519(&decode_member("x", self.x.as_ref())?)?,
            Algorithm::Hs256 => self.hmac_key()?,
        };
        Ok(Key { kid: self.kid, algorithm, material })
    }

    /// Returns the one algorithm that the key is for: its `alg`, or the first of its kind.
    fn algorithm(&self) -> Result<Algorithm, JwkError> {
        use Algorithm::{EdDsa, Es256, Es384, Hs256, Ps256, Rs256, Rs384, Rs512};
        let (fitting, names): (&[_], _) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", None) => (&[Rs256, Rs384, Rs512, Ps256], "RS256, RS384, RS512, PS256"),
            ("EC", Some("P-256")) => (&[Es256], "ES256"),
            ("EC", Some("P-384")) => (&[Es384], "ES384"),
            ("OKP", Some("Ed25519")) => (&[EdDsa], "EdDSA"),
            ("oct", None) => (&[Hs256], "HS256"),
            _ => return Err(JwkError::UnsupportedKind),
        };
        let mut fitting = fitting.iter().copied();
        let found = match &self.alg {
            Some(alg) => fitting.find(|algorithm| algorithm.as_str() == alg),
            None => fitting.next(),
        };
        found.ok_or(JwkError::UnsupportedAlgorithm(names))
    }

    /// Checks size and plausibility here, since `ring` checks an RSA key only when it verifies a signature.
    fn rsa_components(&self) -> Result<RsaPublicKeyComponents<Vec<u8>>, JwkError> {
        let modulus = strip_leading_zeros(decode_member("n", self.n.as_ref())?);
        let exponent = strip_leading_zeros(decode_member("e", self.e.as_ref())?);
        let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if !(2048..=4096).contains(&bits) {
            return Err(JwkError::ModulusSize);
        }
        let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
        let plausible = is_odd(&modulus) && is_odd(&exponent) && exponent.len() <= 4 && exponent != [1];
        if !plausible {
            return Err(JwkError::InvalidPublicKey);
        }
        Ok(RsaPublicKeyComponents { n: modulus, e: exponent })
    }

    fn ec_key(&self, curve: Curve) -> Result<KeyMaterial, JwkError> {
        let (x, y) = (decode_member("x", self.x.as_ref())?, decode_member("y", self.y.as_ref())?);
        Ok(KeyMaterial::ecdsa(curve, &x, &y)?)
    }

    fn hmac_key(&self) -> Result<KeyMaterial, JwkError> {
        let secret = decode_member("k", self.k.as_ref())?;
        if secret.len() < 32 { Err(JwkError::WeakSecret) } else { Ok(KeyMaterial::hs256(&secret)) }
    }
}

impl From<BadPublicKey> for JwkError {
    fn from(_: BadPublicKey) -> Self {
        Self::InvalidPublicKey
    }
}

fn decode_member(name: &'static str, member: Option<&String>) -> Result<Vec<u8>, JwkError> {
    let text = member.ok_or(JwkError::InvalidMember(name))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| JwkError::InvalidMember(name))
}

/// Removes the leading zero bytes of a big-endian number.
fn strip_leading_zeros(number: Vec<u8>) -> Vec<u8> {
    number.into_iter().skip_while(|byte| *byte == 0).collect()
}
