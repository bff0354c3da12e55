//! `imageshare console`: a link that signs a browser in to the console.
//!
//! It is made without the server, with a key that is derived from the newest master key in the server's directory. The server takes
//! it once, within a minute, and no operation of an API accepts it.

use std::path::PathBuf;

use imageshare::auth::{BadMasterKeys, MasterKeys};
use imageshare::domain::{Caller, Timestamp};

use crate::cli::ConsoleArguments;
use crate::keys::{KeyError, load_master_keys};

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleLinkError {
    /// The master keys cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The master keys are invalid.
    #[error("the master keys in {}: {problem}", .directory.display())]
    BadMasterKeys {
        /// The server's directory.
        directory: PathBuf,
        /// What is wrong with them.
        problem: BadMasterKeys,
    },
    /// There are no master keys.
    #[error(
        "there are no master keys in {}: name the running server's directory with --data, or start one with imageshare",
        .0.display()
    )]
    NoMasterKeys(PathBuf),
}

/// Returns the link.
///
/// # Errors
/// [`ConsoleLinkError`] if the directory has no usable master keys.
pub fn link(arguments: &ConsoleArguments) -> Result<String, ConsoleLinkError> {
    let ConsoleArguments { principal, role, server, data } = arguments;
    let missing = || ConsoleLinkError::NoMasterKeys(data.clone());
    let text = load_master_keys(data)?.ok_or_else(missing)?;
    let keys = MasterKeys::parse(&text)
        .map_err(|problem| ConsoleLinkError::BadMasterKeys { directory: data.clone(), problem })?;
    let caller = Caller {
        tenant: principal.project.clone(),
        account: principal.account.clone(),
        user: principal.user.clone(),
        access_key: None,
        role: *role,
    };
    let issued = keys.issue_link(&caller, Timestamp::now()).ok_or_else(missing)?;
    let server = server.to_string();
    Ok(format!("{}/console/sign-in/link?link={}", server.trim_end_matches('/'), issued.token))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Arguments, Command};
    use crate::keys::open_master_keys;

    fn arguments(data: &std::path::Path) -> ConsoleArguments {
        let line = ["imageshare", "console", "--project", "p", "--data", data.to_str().unwrap()];
        match Arguments::parse_from(line).into_command() {
            Command::Console(arguments) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn link_needs_the_master_keys_of_a_server_and_creates_none() {
        let directory = tempfile::tempdir().unwrap();
        let arguments = arguments(directory.path());
        assert!(matches!(link(&arguments), Err(ConsoleLinkError::NoMasterKeys(_))));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        open_master_keys(directory.path()).unwrap();
        let (one, other) = (link(&arguments).unwrap(), link(&arguments).unwrap());
        assert!(one.starts_with("http://127.0.0.1:8080/console/sign-in/link?link="), "{one}");
        assert_ne!(one, other);
    }
}
