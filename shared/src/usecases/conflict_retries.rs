//! How the steps of a job are attempted, and retried after a conflict.

use std::time::Duration;

use crate::store::StoreError;

/// Whether the remaining pairs of a work item are executed, or ended as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Execute,
    FailRemaining,
}

/// The conflicts in a row of one step.
#[derive(Debug, Default)]
pub(super) struct ConflictRetries(u32);

impl ConflictRetries {
    /// The most conflicts in a row.
    const MAX: u32 = 20;

    /// Counts one more conflict, and waits with jitter, so that two workers do not retry at the same time.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] after too many conflicts.
    pub(super) async fn backoff(&mut self) -> Result<(), StoreError> {
        self.0 += 1;
        if self.0 > Self::MAX {
            return Err(StoreError::Unavailable("the step has had too many conflicts".into()));
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..10 * u64::from(self.0)))).await;
        Ok(())
    }
}
