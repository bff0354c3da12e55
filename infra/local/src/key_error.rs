//! The errors of keys and tokens.

use std::io;
use std::path::{Path, PathBuf};

/// Why a key cannot be read or created, or a token not signed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file or directory cannot be created or read.
    #[error("cannot use {}: {source}", .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// There is no signing key. A new one would not help: the server would reject its tokens.
    #[error(
        "there is no signing key in {}: name the running server's directory with --data, or start one with imageshare",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file is not a signing key of this program.
    #[error("{} has no valid signing key; move it away, and the server makes a new one when it starts", .0.display())]
    Unusable(PathBuf),
    /// The system's random number generator failed.
    #[error("cannot make a random key: {0}")]
    Randomness(getrandom::Error),
    /// The token cannot be signed.
    #[error("cannot sign the token: {0}")]
    Signing(#[from] jsonwebtoken::errors::Error),
}

impl KeyError {
    pub(crate) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::File { path: path.to_owned(), source }
    }
}
