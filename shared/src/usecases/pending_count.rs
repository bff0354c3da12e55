//! Count the images that are pending for a project.

use super::UseCaseError;
use crate::App;
use crate::domain::Caller;

/// The highest exact number of pending images.
pub const MAX_PENDING_COUNT: usize = 1_000;

/// A number of pending images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingCount {
    /// The number, at most [`MAX_PENDING_COUNT`].
    pub count: usize,
    /// Whether there are more.
    pub is_more: bool,
}

impl PendingCount {
    fn of(found: usize) -> Self {
        Self { count: found.min(MAX_PENDING_COUNT), is_more: found > MAX_PENDING_COUNT }
    }
}

/// Returns the number of images that are pending for the caller's project. A count that this process has cached may lack
/// what other processes did in the last 10 seconds; what this process did, such as a decision of the caller, it has at
/// once. Otherwise the index is counted, which may be some milliseconds behind.
///
/// Costs nothing if the count is cached; otherwise one query of at most 1,001 keys, half a unit for every 20
/// images, and some 25 units for the largest inbox.
///
/// # Errors
/// [`UseCaseError::Store`] if the table failed.
pub async fn pending_count(app: &App, caller: &Caller) -> Result<PendingCount, UseCaseError> {
    let found = app.store.pending_count(&caller.tenant, MAX_PENDING_COUNT + 1).await?;
    Ok(PendingCount::of(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_above_the_highest_exact_one_is_more() {
        let exact = |count| PendingCount { count, is_more: false };
        assert_eq!([0, 1, 1_000].map(PendingCount::of), [0, 1, 1_000].map(exact));
        for found in [1_001, 20_000] {
            assert_eq!(PendingCount::of(found), PendingCount { count: 1_000, is_more: true });
        }
    }
}
