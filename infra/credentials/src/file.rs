//! The credentials file.
//!
//! TOML, with a table for each profile:
//!
//! ```toml
//! [default]
//! endpoint = "https://images.example"
//! access_key_id = "…"
//! secret_access_key = "…"
//!
//! [consumer]
//! endpoint = "https://images.example"
//! token = "…"
//! project_id = "…"
//! ```
//!
//! It is `imageshare/credentials.toml` in `XDG_CONFIG_HOME`, or in `~/.config`. A file that others can read is refused,
//! since what is in it is then known to them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Secret;

/// The profile that is taken if none is named.
const DEFAULT_PROFILE: &str = "default";

/// The values of a profile.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) endpoint: Option<String>,
    pub(super) token: Option<Secret>,
    pub(super) access_key_id: Option<String>,
    pub(super) secret_access_key: Option<Secret>,
    pub(super) project_id: Option<String>,
}

/// Why the credentials file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A profile is named, and there is no file.
    #[error("profile {profile}: there is no credentials file {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
        /// The profile.
        profile: String,
    },
    /// A profile is named, and there is no place for a file.
    #[error(
        "profile {0}: there is no home directory for a credentials file: set IMAGESHARE_CREDENTIALS_FILE"
    )]
    NoHome(String),
    /// The file cannot be read.
    #[error("{}: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: io::Error,
    },
    /// Others can read the file.
    #[error("{}: others can read it: chmod 600 it, and renew the secrets in it", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The file is not in its form.
    #[error("{}, line {line}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong, without the text of the line.
        problem: String,
    },
    /// The file has no such profile.
    #[error("{}: there is no profile {profile}: expected one of {}", path.display(), known.join(", "))]
    UnknownProfile {
        /// The file.
        path: PathBuf,
        /// The profile.
        profile: String,
        /// The profiles that it has.
        known: Vec<String>,
    },
}

/// Where the file is, unless a variable says otherwise.
pub(super) fn default_path(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let config = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".config")))?;
    Some(config.join("imageshare").join("credentials.toml"))
}

/// Reads a profile. Returns the path, the profile's name and its values; `None` if no profile is named, and there is no
/// file or no default profile.
pub(super) fn read(
    path: Option<PathBuf>,
    named: Option<String>,
) -> Result<Option<(PathBuf, String, Profile)>, FileError> {
    let Some(path) = path else { return named.map_or(Ok(None), |profile| Err(FileError::NoHome(profile))) };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
            return named.map_or(Ok(None), |profile| Err(FileError::Missing { path, profile }));
        }
        Err(problem) => return Err(FileError::Unreadable { path, problem }),
    };
    if is_exposed(&path).map_err(|problem| FileError::Unreadable { path: path.clone(), problem })? {
        return Err(FileError::Exposed { path });
    }
    let profiles: Result<BTreeMap<String, Profile>, _> = toml::from_str(&text);
    let mut profiles = profiles.map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        // Its long form would quote the line, which may have a secret.
        FileError::Malformed { path: path.clone(), line, problem: error.message().to_owned() }
    })?;
    let profile = named.clone().unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    match (profiles.remove(&profile), named) {
        (Some(values), _) => Ok(Some((path, profile, values))),
        (None, None) => Ok(None),
        (None, Some(profile)) => {
            Err(FileError::UnknownProfile { path, profile, known: profiles.into_keys().collect() })
        }
    }
}

#[cfg(unix)]
fn is_exposed(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

/// Elsewhere the files of a user's profile are its own.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
fn is_exposed(_: &Path) -> io::Result<bool> {
    Ok(false)
}
