//! Requests that create something and may be sent again, by their idempotency key.

use super::Refusal;
use crate::Service;
use crate::store::{Earlier, Remembered};

/// The id of what a request has created, if it was made before. One read where it has a key.
///
/// # Errors
/// [`Refusal::KeyUsed`] where the key was used for another request.
pub(super) async fn created_before(
    service: &Service,
    remembered: Option<&Remembered>,
) -> Result<Option<String>, Refusal> {
    let Some(remembered) = remembered else { return Ok(None) };
    match service.store.created_before(remembered).await? {
        Some(Earlier::Created(id)) => Ok(Some(id)),
        Some(Earlier::KeyUsed) => Err(Refusal::KeyUsed),
        None => Ok(None),
    }
}
