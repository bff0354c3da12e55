//! Find out whether a request is a replay, by its idempotency key.

use std::str::FromStr;

use super::UseCaseError;
use crate::App;
use crate::domain::JobId;
use crate::store::{IdempotencyRequest, PriorCreation, StoreError, SubmitOutcome};

/// Why a replay could not be looked up.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReplayError> for UseCaseError {
    fn from(problem: ReplayError) -> Self {
        match problem {
            ReplayError::KeyReused => Self::IdempotencyKeyReused,
            ReplayError::Store(problem) => problem.into(),
        }
    }
}

/// Returns the id of what the first request under the idempotency key has created; `None` if the request is new or
/// has no key. Costs one read if it has a key.
///
/// # Errors
/// [`ReplayError`]
pub(super) async fn find_created_id<Id: FromStr>(
    app: &App,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Option<Id>, ReplayError> {
    let Some(request) = idempotency else { return Ok(None) };
    match app.store.prior_creation(request).await? {
        Some(PriorCreation::Created(id)) => {
            id.parse().map(Some).map_err(|_| StoreError::Unreadable("created").into())
        }
        Some(PriorCreation::KeyReused) => Err(ReplayError::KeyReused),
        None => Ok(None),
    }
}

/// Returns the job that the same request under the same idempotency key became before; `None` if the request is new.
/// Costs one read.
///
/// # Errors
/// [`UseCaseError::IdempotencyKeyReused`], and [`UseCaseError::Store`] if the table failed.
pub async fn find_earlier_job(
    app: &App,
    request: &IdempotencyRequest,
) -> Result<Option<JobId>, UseCaseError> {
    match app.store.prior_submission(request).await? {
        Some(SubmitOutcome::Replayed(job)) => Ok(Some(job)),
        Some(SubmitOutcome::KeyReused) => Err(UseCaseError::IdempotencyKeyReused),
        Some(SubmitOutcome::Accepted) | None => Ok(None),
    }
}
