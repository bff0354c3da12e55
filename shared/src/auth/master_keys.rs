//! The master keys, from which the secrets of a deployment's access keys are derived.
//!
//! The secret of an access key is not stored, so it cannot be stolen from the table, unless the key's creator chose it
//! ([`sealed_secret`](super::sealed_secret)). It is
//! `HMAC-SHA256(master key, "imageshare access key" || id)` in hexadecimal: base64url might begin with `-`, which a
//! command line takes for a flag. Each access key stores the id of its master key.
//!
//! To rotate, put a new master key first and keep the old ones behind it: `new:…,old:…`. New access keys are derived
//! from the first. Older access keys work as long as their master key is listed; `imageshare access-key list` shows
//! which one that is. Removing a master key from the list invalidates all that was derived from it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::secrets::RESERVED_IDS;
use crate::domain::{AccessKeyId, TenantId};

const ACCESS_KEY_CONTEXT: &[u8] = b"imageshare access key";
const TOKEN_CONTEXT: &[u8] = b"imageshare token";
const FINGERPRINT_CONTEXT: &[u8] = b"imageshare master key fingerprint";

/// Why a list of master keys is rejected. Names the position of the bad one, and shows nothing of any key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("master key {place} {fault}")]
pub struct BadMasterKeys {
    /// The position of the bad master key, from 1.
    pub place: usize,
    /// What is wrong, to follow `master key {place}`.
    pub fault: &'static str,
}

/// The master keys of a deployment, first the one for new access keys. Empty if the deployment has no access keys.
#[derive(Clone, Default)]
pub struct MasterKeys(Vec<(String, Vec<u8>)>);

impl MasterKeys {
    /// Parses a list of `ID:BASE64`, separated by commas or line ends. Each key must have at least 256 bits.
    pub fn parse(text: &str) -> Result<Self, BadMasterKeys> {
        let mut keys = Vec::<(String, Vec<u8>)>::new();
        let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        for (place, entry) in (1..).zip(entries) {
            let bad_key = |fault| BadMasterKeys { place, fault };
            let (id, base64) =
                entry.split_once(':').ok_or_else(|| bad_key("is not of the form ID:BASE64"))?;
            // An id without commas, colons or white space, so that it fits into any list.
            if id.parse::<TenantId>().is_err() {
                return Err(bad_key("has an id that is not 1 to 64 characters of A-Z a-z 0-9 _ . -"));
            }
            if RESERVED_IDS.contains(&id) {
                return Err(bad_key("has an id that begins a reference to a secret: choose another"));
            }
            if keys.iter().any(|(other, _)| other == id) {
                return Err(bad_key("has the same id as an earlier one"));
            }
            let key = STANDARD.decode(base64).map_err(|_| bad_key("is not base64"))?;
            if key.len() < 32 {
                return Err(bad_key("is too short: expected 32 bytes or more"));
            }
            keys.push((id.to_owned(), key));
        }
        Ok(Self(keys))
    }

    /// Parses a list as [`Self::parse`] does, and rejects one without a key: for a list that is kept elsewhere, where an
    /// empty one is a mistake.
    pub(super) fn parse_some(text: &str) -> Result<Self, BadMasterKeys> {
        let keys = Self::parse(text)?;
        if keys.0.is_empty() { Err(BadMasterKeys { place: 1, fault: "is missing" }) } else { Ok(keys) }
    }

    /// Returns the id of the master key for new access keys.
    pub fn newest(&self) -> Option<&str> {
        self.0.first().map(|(id, _)| id.as_str())
    }

    /// Returns the id of each master key with its fingerprint, which shows whether two of one id are the same key, and
    /// nothing else of it.
    pub fn fingerprints(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().filter_map(|(id, key)| {
            let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
            let fingerprint = mac.chain_update(FINGERPRINT_CONTEXT).finalize().into_bytes();
            Some((id.as_str(), format!("{fingerprint:x}")))
        })
    }

    /// Derives the secret of an access key; `None` if the master key is not listed.
    pub fn secret(&self, master_id: &str, access_key: &AccessKeyId) -> Option<Secret> {
        let mac = self.hmac(master_id)?.chain_update(ACCESS_KEY_CONTEXT).chain_update(access_key.as_str());
        Some(Secret(format!("{:x}", mac.finalize().into_bytes())))
    }

    /// Derives the key that signs the tokens issued for a master key's access keys; `None` if it is not listed.
    pub(super) fn token_key(&self, master_id: &str) -> Option<[u8; 32]> {
        Some(self.hmac(master_id)?.chain_update(TOKEN_CONTEXT).finalize().into_bytes().into())
    }

    /// The MAC under a master key, from which a key is derived by its context; `None` if the master key is not listed.
    pub(super) fn hmac(&self, master_id: &str) -> Option<Hmac<Sha256>> {
        let (_, key) = self.0.iter().find(|(id, _)| id == master_id)?;
        Hmac::new_from_slice(key).ok()
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

/// The secret of an access key. Its `Debug` does not show it.
#[derive(Clone)]
pub struct Secret(String);

/// A chosen secret is too short or too long, or has other characters than it may have. Shows nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 to 128 visible ASCII characters")]
pub struct UnusableSecret;

impl Secret {
    /// Takes the secret that a client chose for its access key: visible ASCII, which every client can send, and as long
    /// as a derived secret has entropy.
    ///
    /// # Errors
    /// [`UnusableSecret`]
    pub fn chosen(text: &str) -> Result<Self, UnusableSecret> {
        let is_usable = (32..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_usable { Ok(Self(text.to_owned())) } else { Err(UnusableSecret) }
    }

    /// Takes a secret that was accepted before.
    pub(super) fn accepted(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the secret itself, for the one response that shows it and for verifying signatures.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Compares with a given secret, in constant time.
    pub fn matches(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, byte: u8) -> String {
        format!("{id}:{}", STANDARD.encode([byte; 32]))
    }

    #[test]
    fn chosen_secret_is_32_to_128_visible_ascii_characters() {
        for good in ["x".repeat(32), "~!\"x".repeat(32)] {
            assert_eq!(Secret::chosen(&good).unwrap().reveal(), good);
        }
        for bad in ["x".repeat(31), "x".repeat(129), format!("{} ", "x".repeat(32)), "é".repeat(32)] {
            assert_eq!(Secret::chosen(&bad).unwrap_err(), UnusableSecret);
        }
    }

    #[test]
    fn secret_is_deterministic_per_access_key_and_master_key() {
        let keys = MasterKeys::parse(&format!("{},\n {}\n", entry("new", 1), entry("old", 2))).unwrap();
        assert_eq!(keys.newest(), Some("new"));
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let secret = |master, id| keys.secret(master, id).unwrap();
        let first = secret("new", &a);
        assert!(first.matches(secret("new", &a).reveal()) && first.reveal().len() == 64);
        assert!(!first.matches(secret("new", &b).reveal()) && !first.matches(secret("old", &a).reveal()));
        assert!(keys.secret("gone", &a).is_none());
    }

    #[test]
    fn secret_is_alphanumeric() {
        let keys = MasterKeys::parse(&entry("a", 1)).unwrap();
        for number in 0..1000 {
            let secret = keys.secret("a", &format!("key{number}").parse().unwrap()).unwrap();
            assert!(secret.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric()), "{}", secret.reveal());
        }
    }

    #[test]
    fn bad_master_key_is_reported_by_place_without_its_value() {
        for (text, place) in [
            ("a".to_owned(), 1),
            (format!("{},b:short", entry("a", 1)), 2),
            (format!("{},b:c2hvcnQ=", entry("a", 1)), 2),
            (format!("{},{}", entry("a", 1), entry("a", 2)), 2),
            (entry("a b", 1), 1),
            (entry("", 1), 1),
            (entry("ssm", 1), 1),
        ] {
            let error = MasterKeys::parse(&text).unwrap_err();
            assert_eq!(error.place, place, "{error}");
        }
        assert_eq!(MasterKeys::parse("").unwrap().newest(), None);
        let keys = MasterKeys::parse(&entry("a", 7)).unwrap();
        assert_eq!(
            format!("{keys:?} {:?}", keys.secret("a", &"k".parse().unwrap())),
            r#"["a"] Some(Secret)"#
        );
    }
}
