//! Count the images that are pending for a project.

use super::UseCaseError;
use crate::App;
use crate::domain::Caller;
use crate::store::MAX_PENDING_COUNT;

/// The highest number of pending images that is counted where it is shown beside other things.
pub const MAX_BRIEF_COUNT: usize = 1_000;

/// A number of pending images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingCount {
    /// The number, at most the highest one that was asked for.
    pub count: usize,
    /// Whether there are more.
    pub is_more: bool,
}

impl PendingCount {
    fn of(found: usize, most: usize) -> Self {
        Self { count: found.min(most), is_more: found > most }
    }
}

/// Returns the number of images that are pending for the caller's project, counted up to `most`. A count that this process
/// has cached may lack what other processes did in the last 10 seconds; what this process did, such as a decision of the
/// caller, it has at once. Otherwise the index is counted, which may be some milliseconds behind.
///
/// Costs nothing if the count is cached; otherwise one query of half a unit for every 20 images, some 25 units for 1,000.
///
/// # Errors
/// [`UseCaseError::Store`] if the table failed.
pub async fn pending_count(app: &App, caller: &Caller, most: usize) -> Result<PendingCount, UseCaseError> {
    let found = app.store.pending_count(&caller.tenant, most + 1).await?;
    Ok(PendingCount::of(found, most))
}

/// Returns the same number, counted up to [`MAX_PENDING_COUNT`]. A number of 1,000 or more is cached.
///
/// Costs nothing if the count is cached; otherwise some 250 units for 10,000 images, and a query for about 7,000 of them,
/// one after the other.
///
/// # Errors
/// [`UseCaseError::Store`] if the table failed.
pub async fn full_pending_count(app: &App, caller: &Caller) -> Result<PendingCount, UseCaseError> {
    let found = app.store.full_pending_count(&caller.tenant).await?;
    Ok(PendingCount::of(found, MAX_PENDING_COUNT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_above_the_highest_exact_one_is_more() {
        let exact = |count| PendingCount { count, is_more: false };
        let of = |found| PendingCount::of(found, 1_000);
        assert_eq!([0, 1, 1_000].map(of), [0, 1, 1_000].map(exact));
        for found in [1_001, 20_000] {
            assert_eq!(of(found), PendingCount { count: 1_000, is_more: true });
        }
    }
}
