//! The keys with which a server verifies its callers.
//!
//! A server of its own data directory creates them there. Servers that share a table also share their keys: each of
//! them has to accept what another has issued. So they only read keys that the operator has distributed, and a server
//! with none of its own and no other issuer does not start.

use std::path::{Path, PathBuf};

use imageshare::auth::{BadMasterKeys, MasterKeys};

use crate::cli::{MASTER_KEYS, ServeArguments};
use crate::keys::{KEY_FILES, KeyError, MASTER_KEYS_FILE, SigningKey, open_master_keys};
use crate::private_file;

/// The keys of a server.
pub(super) struct ServerKeys {
    /// Verifies the tokens of `imageshare token`.
    pub(super) signing: Option<SigningKey>,
    /// The secrets of access keys are derived from these.
    pub(super) master: MasterKeys,
    /// The directory that they are in.
    pub(super) directory: Option<PathBuf>,
}

/// Why a server's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadServerKeys {
    /// A key cannot be read or created.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The master keys are invalid.
    #[error("the master keys ({place}) cannot be used: {problem}")]
    MasterKeys {
        /// Where they are.
        place: &'static str,
        /// What is wrong with them.
        problem: BadMasterKeys,
    },
    /// There are no keys and no issuers.
    #[error(
        "a server with --table needs keys that all servers of the table share: set --keys to a directory made by \
         `imageshare keys create`, or --jwks or --keystone for tokens of another issuer"
    )]
    None,
    /// The directory has none of the files.
    #[error(
        "there are no keys in {}: expected {}. Make them once with `imageshare keys create --keys DIR`, and copy the \
         directory to every server",
        .0.display(), KEY_FILES.join(" or ")
    )]
    EmptyDirectory(PathBuf),
    /// The master keys are given twice.
    #[error("both {MASTER_KEYS} and {} have master keys: keep one of them", .0.display())]
    TwoMasterKeys(PathBuf),
}

impl ServerKeys {
    /// Reads the keys of a server of its own; creates what is missing in its directory.
    ///
    /// # Errors
    /// [`BadServerKeys`] if the directory cannot be written, or a file is invalid.
    pub(super) fn open_or_create(directory: &Path) -> Result<Self, BadServerKeys> {
        let (signing, master) = (SigningKey::open_or_create(directory)?, open_master_keys(directory)?);
        let master = parse_master_keys(&master, "master-keys.txt in the data directory")?;
        Ok(Self { signing: Some(signing), master, directory: Some(directory.to_owned()) })
    }

    /// Reads the keys that several servers share, from `--keys` and the environment. Writes nothing.
    ///
    /// # Errors
    /// [`BadServerKeys`] if there are no keys and no issuers, or a file is invalid.
    pub(super) fn shared(arguments: &ServeArguments) -> Result<Self, BadServerKeys> {
        let variable = std::env::var(MASTER_KEYS).ok().filter(|text| !text.is_empty());
        Self::from_sources(arguments, variable)
    }

    fn from_sources(arguments: &ServeArguments, variable: Option<String>) -> Result<Self, BadServerKeys> {
        let directory = arguments.remote.keys.clone();
        let (signing, file) = match &directory {
            Some(directory) => {
                let path = directory.join(MASTER_KEYS_FILE);
                let master = private_file::read_as_is(&path)?.map(|text| (path, text));
                (SigningKey::load_if_present(directory)?, master)
            }
            None => (None, None),
        };
        match (&directory, variable, file) {
            (_, Some(_), Some((path, _))) => Err(BadServerKeys::TwoMasterKeys(path)),
            (Some(directory), None, None) if signing.is_none() => {
                Err(BadServerKeys::EmptyDirectory(directory.clone()))
            }
            (None, None, None) if !arguments.issuers.has_any() => Err(BadServerKeys::None),
            (_, Some(text), None) => {
                Ok(Self { signing, master: parse_master_keys(&text, MASTER_KEYS)?, directory })
            }
            (_, None, Some((_, text))) => {
                let master = parse_master_keys(&text, "master-keys.txt in the directory of --keys")?;
                Ok(Self { signing, master, directory })
            }
            (_, None, None) => Ok(Self { signing, master: MasterKeys::default(), directory }),
        }
    }
}

fn parse_master_keys(text: &str, place: &'static str) -> Result<MasterKeys, BadServerKeys> {
    MasterKeys::parse(text).map_err(|problem| BadServerKeys::MasterKeys { place, problem })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::cli::{Command, parse};

    fn keys(line: &str, variable: Option<&str>) -> Result<ServerKeys, String> {
        let line = format!("imageshare serve --table imageshare {line}");
        let Ok(Command::Serve(arguments)) = parse(line.split_whitespace().map(Into::into)) else {
            panic!("{line}")
        };
        ServerKeys::from_sources(&arguments, variable.map(str::to_owned))
            .map_err(|problem| problem.to_string())
    }

    fn created() -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        ServerKeys::open_or_create(directory.path()).unwrap();
        directory
    }

    #[test]
    fn server_without_shared_keys_does_not_start() {
        assert!(keys("", None).err().unwrap().contains("set --keys"));
        assert!(keys("--jwks https://issuer.example/jwks", None).is_ok());
        assert!(keys("--keystone https://keystone.example/v3", None).is_ok());
        let empty = tempfile::tempdir().unwrap();
        let refused = keys(&format!("--keys {}", empty.path().display()), None).err().unwrap();
        assert!(refused.contains("expected signing-keys.json or master-keys.txt"), "{refused}");
        assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0, "shared keys are only read");
    }

    #[test]
    fn shared_keys_come_from_directory_or_variable() {
        let directory = created();
        let line = format!("--keys {}", directory.path().display());
        let both = keys(&line, None).unwrap();
        assert!(both.signing.is_some() && both.master.newest().is_some());
        let master = fs::read_to_string(directory.path().join(MASTER_KEYS_FILE)).unwrap();
        assert!(keys(&line, Some(&master)).err().unwrap().contains("keep one of them"));
        let variable = keys("", Some(&master)).unwrap();
        assert!(variable.signing.is_none() && variable.master.newest() == both.master.newest());
        fs::remove_file(directory.path().join(MASTER_KEYS_FILE)).unwrap();
        assert!(keys(&line, None).unwrap().master.newest().is_none());
    }

    #[test]
    fn invalid_shared_keys_are_named() {
        let refused = keys("", Some("a:b")).err().unwrap();
        assert!(refused.contains("(IMAGESHARE_MASTER_KEYS) cannot be used: master key 1"), "{refused}");
        let directory = created();
        fs::write(directory.path().join("signing-keys.json"), "{}").unwrap();
        let refused = keys(&format!("--keys {}", directory.path().display()), None).err().unwrap();
        assert!(refused.contains("no valid signing key"), "{refused}");
    }
}
