//! Why the table did not do what it was asked.

use crate::table::{CancelReason, StorageFault};

/// Why the table did not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB could not be reached, or was too busy for too long, and the request has changed nothing. Nothing is known to
    /// be wrong with it.
    #[error("the table is not available: {0}")]
    Unavailable(String),
    /// As [`Self::UnavailableTable`], but the request may have changed something: a write was sent and not answered, or an
    /// earlier one was made.
    #[error("the table is not available, and what was asked may have been done: {0}")]
    InDoubt(String),
    /// The table's storage does not do what it must.
    #[error("{fault}: {detail}")]
    Storage {
        /// What is wrong with it.
        fault: StorageFault,
        /// What the storage says.
        detail: String,
    },
    /// DynamoDB refused the call itself: a fault of this program or of the deployment.
    #[error("the table refused the call: {0}")]
    Refused(String),
    /// An item is not as this program writes it.
    #[error("the attribute {0} of an item cannot be read")]
    Unreadable(&'static str),
}

/// Why nothing was written.
#[derive(Debug)]
pub enum WriteError {
    /// A condition did not hold. One reason for each write, in order.
    ConditionFailed(Vec<CancelReason>),
    /// The table failed.
    Store(StoreError),
}

impl StoreError {
    /// Whether the same call may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::InDoubt(_))
    }
}

/// Of a write that has no condition.
impl From<WriteError> for StoreError {
    fn from(problem: WriteError) -> Self {
        match problem {
            WriteError::Store(error) => error,
            WriteError::ConditionFailed(_) => Self::Refused("a condition that was not set".into()),
        }
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
