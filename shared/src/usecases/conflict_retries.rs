//! How the steps of a job are attempted.

use std::time::Duration;

use crate::store::StoreError;

/// Whether what is left is attempted, or ended as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Execute,
    FailRemaining,
}

/// How often in a row a step found that somebody else has changed what it was decided from.
#[derive(Debug, Default)]
pub(super) struct ConflictRetries(u32);

impl ConflictRetries {
    /// How often is too often.
    const MAX: u32 = 20;

    /// Counts one more, and waits a little, at random, so that two who met part.
    ///
    /// # Errors
    /// [`StoreError::UnavailableTable`] when there were too many.
    pub(super) async fn backoff(&mut self) -> Result<(), StoreError> {
        self.0 += 1;
        if self.0 > Self::MAX {
            return Err(StoreError::Unavailable("the step's items are changed all the time".into()));
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..10 * u64::from(self.0)))).await;
        Ok(())
    }
}
