//! Requests that create something and may be sent again, by their idempotency key.

use std::str::FromStr;

use crate::App;
use crate::store::{IdempotencyRequest, PriorCreation, StoreError};

/// Why it is not known whether a request was made before.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReplayError {
    /// Its idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns the id of what a request has created, if it was made before. One read where it has a key, else nothing.
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
