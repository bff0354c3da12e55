//! Requests that create something and may be sent again, by their idempotency key.

use super::UseCaseError;
use crate::App;
use crate::store::{IdempotencyRequest, PriorCreation};

/// The id of what a request has created, if it was made before. One read where it has a key.
///
/// # Errors
/// [`UseCaseError::IdempotencyKeyReused`] where the key was used for another request.
pub(super) async fn find_created_id(
    service: &App,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Option<String>, UseCaseError> {
    let Some(remembered) = idempotency else { return Ok(None) };
    match service.store.prior_creation(remembered).await? {
        Some(PriorCreation::Created(id)) => Ok(Some(id)),
        Some(PriorCreation::KeyReused) => Err(UseCaseError::IdempotencyKeyReused),
        None => Ok(None),
    }
}
