//! Why a server cannot start, with what the operator can do.

use std::io;
use std::path::Path;

use imageshare::store::StoreError;

use super::server_keys::BadServerKeys;
use crate::gateway::RoutesError;
use crate::issuers::IssuersError;
use crate::remote::RemoteError;
use crate::table::OpenError;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is in use, not of this machine, or invalid.
    #[error("cannot listen on {address}: {}; choose another with --listen", reason(.source))]
    Listen {
        /// The address of the argument.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// The same for the address of the metrics.
    #[error("cannot listen on {address}: {}; choose another with --metrics", reason(.source))]
    Metrics {
        /// The address of the argument.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// A server in memory cannot create a temporary directory for its keys.
    #[error("cannot create a temporary directory: {0}")]
    TemporaryDirectory(io::Error),
    /// The server's keys are missing or invalid.
    #[error(transparent)]
    Keys(#[from] BadServerKeys),
    /// The signing key is invalid.
    #[error("the signing key cannot be used: {0}")]
    KeySet(#[from] imageshare::auth::BadKeySet),
    /// The settings of another issuer are invalid.
    #[error(transparent)]
    Issuers(#[from] IssuersError),
    /// The embedded table cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The table in DynamoDB cannot be used.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The saved clock cannot be read or written.
    #[error("the table cannot be read: {0}")]
    Clock(StoreError),
    /// The routes do not match the functions.
    #[error(transparent)]
    Routes(#[from] RoutesError),
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "no such address on this machine".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::InvalidInput => "expected HOST:PORT".to_owned(),
        _ => error.to_string(),
    }
}

impl StartError {
    /// The error of a server whose table cannot be read.
    pub(super) fn clock_read(problem: StoreError, directory: &Path) -> Self {
        match problem {
            StoreError::Storage { fault, detail } => {
                OpenError::Storage { fault, directory: directory.to_owned(), detail }.into()
            }
            other => Self::Clock(other),
        }
    }
}
