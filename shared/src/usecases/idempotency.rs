//! Find out whether a request that creates something is a replay, by its idempotency key.

use std::str::FromStr;

use crate::App;
use crate::store::{IdempotencyRequest, PriorCreation, StoreError};

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
