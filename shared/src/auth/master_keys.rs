//! The secrets that a deployment derives the secrets of its access keys from.
//!
//! The secret of an access key is not stored, and can therefore not be stolen from the table: it is
//! `HMAC-SHA256(master key, "imageshare access key" || id)` in hexadecimal digits, which is a plain word wherever a secret is
//! typed: one that began with `-`, as base64url may, would be taken for a flag. Each access key remembers which master key
//! it was derived from.
//!
//! To rotate, put a new master key first and keep the old ones behind it: `new:…,old:…`. New access keys are derived from
//! the first; those of the old ones go on working for as long as theirs is listed. `imageshare access-key list` says
//! which each of them uses. When nothing of value uses the old one any more, take it out: what was derived from it is
//! refused from then on.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::{AccessKeyId, TenantId};

const ACCESS_KEY_CONTEXT: &[u8] = b"imageshare access key";
const TOKEN_CONTEXT: &[u8] = b"imageshare token";

/// Why a list of master keys cannot be used. Names the place, and shows nothing of any key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("master key {place} {fault}")]
pub struct BadMasterKeys {
    /// Which of them, from 1.
    pub place: usize,
    /// What is wrong with it.
    pub fault: &'static str,
}

/// The master keys of a deployment, the one for new access keys first; or none, where it has no access keys.
#[derive(Clone, Default)]
pub struct MasterKeys(Vec<(String, Vec<u8>)>);

impl MasterKeys {
    /// Reads `ID:BASE64`, several separated by commas or line ends. Each key has 256 bits or more.
    pub fn parse(text: &str) -> Result<Self, BadMasterKeys> {
        let mut keys = Vec::<(String, Vec<u8>)>::new();
        let entries = text.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        for (place, entry) in (1..).zip(entries) {
            let refuse = |fault| BadMasterKeys { place, fault };
            let (id, base64) = entry.split_once(':').ok_or_else(|| refuse("is not of the form ID:BASE64"))?;
            // As plain as any id, so that it can stand in any list.
            if id.parse::<TenantId>().is_err() {
                return Err(refuse("has an id that is not 1 to 64 characters of A-Z a-z 0-9 _ . -"));
            }
            if keys.iter().any(|(known, _)| known == id) {
                return Err(refuse("has the same id as one before it"));
            }
            let key = STANDARD.decode(base64).map_err(|_| refuse("is not base64"))?;
            if key.len() < 32 {
                return Err(refuse("is too short: expected 32 bytes or more"));
            }
            keys.push((id.to_owned(), key));
        }
        Ok(Self(keys))
    }

    /// The id of the master key for new access keys.
    pub fn newest(&self) -> Option<&str> {
        self.0.first().map(|(id, _)| id.as_str())
    }

    /// The secret of an access key that is derived from that master key; `None` where that is not listed.
    pub fn secret(&self, master: &str, access_key: &AccessKeyId) -> Option<Secret> {
        let (_, key) = self.0.iter().find(|(id, _)| id == master)?;
        let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        let derived =
            mac.chain_update(ACCESS_KEY_CONTEXT).chain_update(access_key.as_str()).finalize().into_bytes();
        Some(Secret(format!("{derived:x}")))
    }
}

impl MasterKeys {
    /// The key for tokens of access keys that are derived from that master key; `None` where it is not listed.
    pub(super) fn token_key(&self, master: &str) -> Option<[u8; 32]> {
        let (_, key) = self.0.iter().find(|(id, _)| id == master)?;
        let mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        Some(mac.chain_update(TOKEN_CONTEXT).finalize().into_bytes().into())
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

impl Secret {
    /// The secret itself: for the one answer that tells it, and for checking signatures.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether that is the secret. Takes the same time whatever the difference.
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
        ] {
            let refused = MasterKeys::parse(&text).unwrap_err();
            assert_eq!(refused.place, place, "{refused}");
        }
        assert_eq!(MasterKeys::parse("").unwrap().newest(), None);
        let keys = MasterKeys::parse(&entry("a", 7)).unwrap();
        assert_eq!(
            format!("{keys:?} {:?}", keys.secret("a", &"k".parse().unwrap())),
            r#"["a"] Some(Secret)"#
        );
    }
}
