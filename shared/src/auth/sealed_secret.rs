//! The secrets that clients chose for their access keys. A signature is verified with the secret itself, so it is stored
//! encrypted, with AES-256-GCM under a key that is derived from a master key and the access key's id. One such key
//! encrypts one secret, and a secret that is copied to another access key cannot be decrypted there.
//!
//! Rotation is the same as for derived secrets: the access key names its master key, and works while that is listed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::Mac;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use super::master_keys::{MasterKeys, Secret};
use crate::domain::{AccessKeyId, SealedSecret};

const SEAL_CONTEXT: &[u8] = b"imageshare sealed secret";

impl MasterKeys {
    /// Encrypts the secret of an access key; `None` if the master key is not listed, or the system has no randomness.
    pub(super) fn seal(
        &self,
        master_id: &str,
        access_key: &AccessKeyId,
        secret: &Secret,
    ) -> Option<SealedSecret> {
        let key = self.sealing_key(master_id, access_key)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = secret.reveal().as_bytes().to_vec();
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
        Some(SealedSecret::new(STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat())))
    }

    /// Decrypts the secret of an access key; `None` if the master key is not listed, or did not encrypt it for this
    /// access key.
    pub(super) fn unseal(
        &self,
        master_id: &str,
        access_key: &AccessKeyId,
        sealed: &SealedSecret,
    ) -> Option<Secret> {
        let key = self.sealing_key(master_id, access_key)?;
        let bytes = STANDARD_NO_PAD.decode(sealed.as_str()).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let secret = key.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
        std::str::from_utf8(secret).ok().map(Secret::accepted)
    }

    fn sealing_key(&self, master_id: &str, access_key: &AccessKeyId) -> Option<LessSafeKey> {
        let mac = self.hmac(master_id)?.chain_update(SEAL_CONTEXT).chain_update(access_key.as_str());
        UnboundKey::new(&AES_256_GCM, &mac.finalize().into_bytes()).ok().map(LessSafeKey::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(entries: &[(&str, u8)]) -> MasterKeys {
        let entry = |(id, byte): &(&str, u8)| {
            format!("{id}:{}", base64::engine::general_purpose::STANDARD.encode([*byte; 32]))
        };
        MasterKeys::parse(&entries.iter().map(entry).collect::<Vec<_>>().join(",")).unwrap()
    }

    #[test]
    fn sealed_secret_opens_under_its_master_and_access_key_only() {
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let secret = Secret::chosen(&"s3cret!\"~".repeat(4)).unwrap();
        let old = keys(&[("old", 1)]);
        let sealed = old.seal("old", &a, &secret).unwrap();
        let rotated = keys(&[("new", 2), ("old", 1)]);
        for keys in [&old, &rotated] {
            assert_eq!(keys.unseal("old", &a, &sealed).unwrap().reveal(), secret.reveal());
        }
        assert!(old.unseal("old", &b, &sealed).is_none());
        assert!(rotated.unseal("new", &a, &sealed).is_none());
        assert!(keys(&[("old", 3)]).unseal("old", &a, &sealed).is_none());
        assert!(keys(&[("new", 2)]).unseal("old", &a, &sealed).is_none());
        assert!(keys(&[]).seal("old", &a, &secret).is_none());
    }

    #[test]
    fn altered_sealed_secret_does_not_open() {
        let (keys, id) = (keys(&[("m", 1)]), "a".parse().unwrap());
        let secret = Secret::chosen(&"x".repeat(32)).unwrap();
        let sealed = keys.seal("m", &id, &secret).unwrap();
        assert_ne!(sealed, keys.seal("m", &id, &secret).unwrap(), "the nonce is random");
        assert_eq!(format!("{sealed:?}"), "SealedSecret");
        let bytes = STANDARD_NO_PAD.decode(sealed.as_str()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"xxxxxxxx"));
        for changed in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[changed] ^= 1;
            let altered = SealedSecret::new(STANDARD_NO_PAD.encode(bytes));
            assert!(keys.unseal("m", &id, &altered).is_none(), "byte {changed}");
        }
        for text in ["", "AAAA", "no base64"] {
            assert!(keys.unseal("m", &id, &SealedSecret::new(text.to_owned())).is_none());
        }
    }
}
