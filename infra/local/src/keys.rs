//! The secrets of a local server: its signing key, the tokens signed with it, and its master keys.
//!
//! `serve` verifies tokens with `signing-keys.json` in its data directory, and `token` signs with the same file. The
//! secrets of access keys are derived from `master-keys.txt` beside it, which has a line `ID:BASE64` for each master
//! key; the first line is for new access keys. To rotate, add a line at the top and restart the server.
//! `imageshare::auth::MasterKeys` says when an old line can be removed.
//!
//! The first start of a server creates both files. Only their owner can read them, since a reader can act for every
//! tenant.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use imageshare::domain::{Role, TenantId, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};

pub use crate::key_error::KeyError;
use crate::private_file;

/// The issuer of a local server's tokens.
pub const ISSUER: &str = "imageshare";

const SIGNING_KEYS_FILE: &str = "signing-keys.json";
pub(crate) const MASTER_KEYS_FILE: &str = "master-keys.txt";

/// The files of a data directory that hold the server's secrets.
pub(crate) const KEY_FILES: [&str; 2] = [SIGNING_KEYS_FILE, MASTER_KEYS_FILE];

/// Reads the master keys of a data directory. Creates the directory and a key if they do not exist, as
/// [`SigningKey::open_or_create`] does.
///
/// # Errors
/// The directory cannot be written, or the file cannot be read.
pub fn open_master_keys(directory: &Path) -> Result<String, KeyError> {
    Ok(private_file::read_or_create(directory, MASTER_KEYS_FILE, random_master_key)?.1)
}

/// Reads the master keys of a data directory, and never creates one; `None` if there is no file.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn load_master_keys(directory: &Path) -> Result<Option<String>, KeyError> {
    private_file::read(&directory.join(MASTER_KEYS_FILE))
}

/// A JSON Web Key Set with the one key of a local server.
#[derive(Serialize, Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: String,
    alg: String,
    #[serde(rename = "use")]
    usage: String,
    kid: String,
    k: String,
}

/// The signing key in a data directory.
pub struct SigningKey {
    key: Jwk,
    jwks: String,
}

impl SigningKey {
    /// Reads the signing key of a data directory. Creates the directory and a key if they do not exist; concurrent calls
    /// return the same key.
    ///
    /// # Errors
    /// The directory cannot be written, or its file is not a signing key of this program.
    pub fn open_or_create(directory: &Path) -> Result<Self, KeyError> {
        let (path, json) = private_file::read_or_create(directory, SIGNING_KEYS_FILE, random_key_set)?;
        Self::parse(json, path)
    }

    /// Reads the signing key of a data directory, and never creates one: the server would reject tokens of a new key.
    ///
    /// # Errors
    /// There is no file, it cannot be read, or it is not a signing key of this program.
    pub fn load(directory: &Path) -> Result<Self, KeyError> {
        let path = directory.join(SIGNING_KEYS_FILE);
        let json = private_file::read(&path)?.ok_or_else(|| KeyError::Missing(directory.to_owned()))?;
        Self::parse(json, path)
    }

    /// Reads the signing key of a directory that several servers share, without changing anything; `None` if there is
    /// no such file.
    ///
    /// # Errors
    /// It cannot be read, or it is not a signing key of this program.
    pub(crate) fn load_if_present(directory: &Path) -> Result<Option<Self>, KeyError> {
        let path = directory.join(SIGNING_KEYS_FILE);
        private_file::read_as_is(&path)?.map(|json| Self::parse(json, path)).transpose()
    }

    /// The JSON Web Key Set with which the server verifies tokens.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// Signs a token with those claims, valid from now.
    ///
    /// # Errors
    /// [`KeyError::Signing`] if the key cannot sign.
    pub fn sign_token(&self, token: &TokenClaims) -> Result<String, KeyError> {
        let now = Timestamp::now();
        let claims = JwtClaims {
            iss: ISSUER,
            sub: token.user.as_deref(),
            iat: now.unix_seconds(),
            exp: now.plus(token.lifetime).unix_seconds(),
            project_id: token.project.as_str(),
            account_id: token.account.as_deref(),
            roles: token.roles.iter().map(|role| role.name()).collect(),
        };
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.key.kid.clone());
        // `parse` has checked that the key decodes.
        let secret = URL_SAFE_NO_PAD.decode(&self.key.k).unwrap_or_default();
        Ok(jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret))?)
    }

    fn parse(json: String, path: PathBuf) -> Result<Self, KeyError> {
        let set = serde_json::from_str::<KeySet>(&json).ok();
        let key = set.and_then(|set| set.keys.into_iter().next()).filter(|key| {
            let secret = URL_SAFE_NO_PAD.decode(&key.k).unwrap_or_default();
            key.kty == "oct" && key.alg == "HS256" && secret.len() >= 32
        });
        match key {
            Some(key) => Ok(Self { key, jwks: json }),
            None => Err(KeyError::Unusable(path)),
        }
    }
}

/// The claims of a token about its bearer.
#[derive(Debug, Clone)]
pub struct TokenClaims {
    /// The project that the bearer acts for.
    pub project: TenantId,
    /// The account that the project belongs to.
    pub account: Option<String>,
    /// The person or program.
    pub user: Option<String>,
    /// The bearer's roles in the project.
    pub roles: Vec<Role>,
    /// How long the token is valid.
    pub lifetime: Duration,
}

#[derive(Serialize)]
struct JwtClaims<'a> {
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    iat: i64,
    exp: i64,
    project_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
    roles: Vec<&'a str>,
}

fn random_bytes() -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(KeyError::Randomness)?;
    Ok(bytes)
}

fn random_master_key() -> Result<String, KeyError> {
    let day: String = Timestamp::now().to_iso_basic().chars().take(8).collect();
    Ok(format!("{day}:{}\n", STANDARD.encode(random_bytes()?)))
}

fn random_key_set() -> Result<String, KeyError> {
    let secret = random_bytes()?;
    let key = Jwk {
        kty: "oct".to_owned(),
        alg: "HS256".to_owned(),
        usage: "sig".to_owned(),
        kid: uuid::Uuid::new_v4().simple().to_string(),
        k: URL_SAFE_NO_PAD.encode(secret),
    };
    // Strings always serialize.
    Ok(serde_json::to_string_pretty(&KeySet { keys: vec![key] }).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use imageshare::auth::MasterKeys;
    use jsonwebtoken::{DecodingKey, Validation};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn signing_key_is_readable_only_by_owner() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("new/data");
        SigningKey::open_or_create(&directory).unwrap();
        assert_eq!((mode(&directory), mode(&directory.join(SIGNING_KEYS_FILE))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "no temporary file is left");
    }

    #[test]
    fn master_key_is_created_once_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let created = open_master_keys(directory.path()).unwrap();
        assert!(MasterKeys::parse(&created).unwrap().newest().is_some());
        assert_eq!(mode(&directory.path().join(MASTER_KEYS_FILE)), 0o600);
        assert_eq!(open_master_keys(directory.path()).unwrap(), created);
    }

    #[test]
    fn load_finds_the_signing_key_and_creates_none() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("data");
        let missing = SigningKey::load(&directory).err().unwrap().to_string();
        assert!(missing.contains("data: name the running server's directory with --data"), "{missing}");
        assert!(!directory.exists());
        let created = SigningKey::open_or_create(&directory).unwrap();
        assert_eq!(SigningKey::load(&directory).unwrap().jwks(), created.jwks());
    }

    #[test]
    fn concurrent_starts_agree_on_one_signing_key() {
        let directory = tempfile::tempdir().unwrap();
        let keys: HashSet<String> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..16)
                .map(|_| scope.spawn(|| SigningKey::open_or_create(directory.path()).unwrap().jwks))
                .collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn invalid_key_file_is_rejected_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let weak = r#"{"keys":[{"kty":"oct","alg":"HS256","use":"sig","kid":"a","k":"c2hvcnQ"}]}"#;
        for content in ["", "{}", r#"{"keys":[]}"#, weak] {
            fs::write(directory.path().join(SIGNING_KEYS_FILE), content).unwrap();
            assert!(
                matches!(SigningKey::open_or_create(directory.path()), Err(KeyError::Unusable(_))),
                "{content}"
            );
        }
        assert_eq!(fs::read_to_string(directory.path().join(SIGNING_KEYS_FILE)).unwrap(), weak);
    }

    #[test]
    fn token_carries_claims_and_verifies_with_jwks() {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::open_or_create(directory.path()).unwrap();
        let token_claims = TokenClaims {
            project: "p1".parse().unwrap(),
            account: Some("a1".to_owned()),
            user: None,
            roles: vec![Role::Reader, Role::Admin],
            lifetime: Duration::from_mins(1),
        };
        let token = key.sign_token(&token_claims).unwrap();
        let keys: jsonwebtoken::jwk::JwkSet = serde_json::from_str(key.jwks()).unwrap();
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
        let verifier = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
        let mut checks = Validation::new(Algorithm::HS256);
        checks.set_issuer(&[ISSUER]);
        let claims = jsonwebtoken::decode::<serde_json::Value>(&token, &verifier, &checks).unwrap().claims;
        assert_eq!(claims["project_id"], "p1");
        assert_eq!(claims["account_id"], "a1");
        assert_eq!(claims["roles"], serde_json::json!(["reader", "admin"]));
        assert_eq!(claims.get("sub"), None);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    }
}
