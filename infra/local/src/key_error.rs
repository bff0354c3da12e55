//! Why there is no key.

use std::io;
use std::path::{Path, PathBuf};

/// Why there is no key, or no token.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file or directory cannot be made or read.
    #[error("cannot use {}: {source}", .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no key, and no other would do.
    #[error("there is no signing key in {}: name the running server's directory with --data, or start one with imageshare", .0.display())]
    Missing(PathBuf),
    /// The file is not what this program writes.
    #[error("{} holds no signing key; move it away to have a new one made", .0.display())]
    Unusable(PathBuf),
    /// The system has no randomness to offer.
    #[error("cannot make a random key: {0}")]
    Randomness(getrandom::Error),
    /// The token could not be signed.
    #[error("cannot sign the token: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

impl KeyError {
    pub(crate) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::File { path: path.to_owned(), source }
    }
}
