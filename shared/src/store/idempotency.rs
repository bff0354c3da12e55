//! Requests that their client may send again: remembered by its key, together with the job that they became, or the id of
//! what they created.

use super::client::Store;
use super::error::StoreError;
use super::item::{self, Item};
use super::items::idempotency::{CREATED, IdempotencyRequest, SubmitOutcome, replay_outcome};
use super::keys::{self, TTL};

/// What a request has come to that creates something at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriorCreation {
    /// The same request has created the thing of that id.
    Created(String),
    /// The idempotency key was used for another request.
    KeyReused,
}

impl Store {
    /// Reads what a request has created that was made before; `None` where its key is new, or forgotten. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
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

    /// Reads what came of a request that was accepted before; `None` where its key is new, or forgotten.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn prior_submission(
        &self,
        request: &IdempotencyRequest,
    ) -> Result<Option<SubmitOutcome>, StoreError> {
        self.stored_request(request).await?.map(|before| replay_outcome(&before, request)).transpose()
    }

    /// The item of a request's key, unless it is to be forgotten.
    async fn stored_request(&self, request: &IdempotencyRequest) -> Result<Option<Item>, StoreError> {
        let key = keys::idempotency(&request.tenant, &request.key_digest);
        let Some(stored) = self.read_one(key).await? else { return Ok(None) };
        let is_live = item::get_number::<i64>(&stored, TTL)? >= self.clock.now().unix_seconds();
        Ok(is_live.then_some(stored))
    }
}
