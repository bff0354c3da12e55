//! Errors of the table. Each says what the caller may do: retry, look first, or report a fault.

use crate::table::{CancelReason, StorageFault};

/// A failed call to the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The table could not be reached, or throttled the call until its deadline. The request has changed nothing, and
    /// may be retried.
    #[error("the table is not available: {0}")]
    Unavailable(String),
    /// As [`Self::Unavailable`], but the request may have changed something: a write was sent and got no response, or
    /// an earlier one was made.
    #[error("the table is not available, and the request may have been carried out: {0}")]
    InDoubt(String),
    /// The table's storage fails. Only the embedded database reports this.
    #[error("{fault}: {detail}")]
    Storage {
        /// The kind of fault.
        fault: StorageFault,
        /// The storage's own message.
        detail: String,
    },
    /// DynamoDB rejected the call itself: a bug in this program or its deployment. A retry does not help.
    #[error("the table rejected the call: {0}")]
    Refused(String),
    /// An attribute is not as this program writes it.
    #[error("the attribute {0} of an item cannot be read")]
    Unreadable(&'static str),
}

/// A failed write. Nothing was written, unless the error is [`StoreError::InDoubt`].
#[derive(Debug)]
pub enum WriteError {
    /// A condition did not hold: nothing was written. One reason per write, in order.
    ConditionFailed(Vec<CancelReason>),
    /// The call failed.
    Store(StoreError),
}

impl StoreError {
    /// Returns whether the same call may succeed if it is retried later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::InDoubt(_))
    }
}

/// For writes without a condition: a failed one is then a bug.
impl From<WriteError> for StoreError {
    fn from(problem: WriteError) -> Self {
        match problem {
            WriteError::Store(error) => error,
            WriteError::ConditionFailed(_) => {
                Self::Refused("a write without a condition failed its condition".into())
            }
        }
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
