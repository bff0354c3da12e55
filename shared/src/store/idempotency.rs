//! Idempotent requests: each is stored under its idempotency key, with the id of the job or the object that it created.

use super::client::Store;
use super::error::StoreError;
use super::item::{self, Item};
use super::items::idempotency::{CREATED, IdempotencyRequest, SubmitOutcome, replay_outcome};
use super::keys::{self, TTL};

/// The result of an earlier request, under the same key, that created an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriorCreation {
    /// The same request has created the object with this id.
    Created(String),
    /// The idempotency key was used for another request.
    KeyReused,
}

impl Store {
    /// Reads what an earlier request under the same key has created; `None` if the key is new or has expired. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn prior_creation(
        &self,
        request: &IdempotencyRequest,
    ) -> Result<Option<PriorCreation>, StoreError> {
        let Some(stored) = self.stored_request(request).await? else { return Ok(None) };
        if item::get_text(&stored, "request")? != request.request_digest {
            return Ok(Some(PriorCreation::KeyReused));
        }
        item::get_text(&stored, CREATED).map(|id| Some(PriorCreation::Created(id.to_owned())))
    }

    /// Reads the job that an earlier request under the same key became; `None` if the key is new or has expired. One
    /// read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn prior_submission(
        &self,
        request: &IdempotencyRequest,
    ) -> Result<Option<SubmitOutcome>, StoreError> {
        self.stored_request(request).await?.map(|stored| replay_outcome(&stored, request)).transpose()
    }

    /// Reads the item of a request's key, unless it has expired: TTL may remove it days later.
    async fn stored_request(&self, request: &IdempotencyRequest) -> Result<Option<Item>, StoreError> {
        let key = keys::idempotency(&request.tenant, &request.key_digest);
        let Some(stored) = self.read_one(key).await? else { return Ok(None) };
        let is_live = item::get_number::<i64>(&stored, TTL)? >= self.clock.now().unix_seconds();
        Ok(is_live.then_some(stored))
    }
}
