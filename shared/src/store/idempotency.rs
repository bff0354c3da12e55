//! Requests that their client may send again: remembered by its key, together with the job that they became, or the id of
//! what they created.

use std::time::Duration;

use super::item::{self, Item};
use super::keys::{self, TTL};
use super::{Store, StoreError};
use crate::domain::{Job, JobId, TenantId, Timestamp};
use crate::table::Write;

/// How long a request is remembered by its idempotency key (`contract/decisions.md` 22).
const IDEMPOTENCY_RETENTION: Duration = Duration::from_hours(24);

/// The attribute that names what a request has created.
const CREATED: &str = "created";

/// A request that its client may send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRequest {
    /// Whose key it is.
    pub tenant: TenantId,
    /// The hash of the client's key.
    pub key_digest: String,
    /// The hash of the request.
    pub request_digest: String,
}

/// What came of submitting a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// It is accepted.
    Accepted,
    /// The same request was accepted before, as that job.
    Replayed(JobId),
    /// The idempotency key was used for another request.
    KeyReused,
}

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

/// The write that remembers a request that became a job; its condition fails where the key was used before.
pub(super) fn record_job(request: &IdempotencyRequest, job: &Job) -> Write {
    record_request(request, ("job", &job.id.to_string()), job.accepted_at)
}

/// The write that remembers a request that creates the thing of that id; its condition fails where the key was used before.
pub(super) fn record_created(request: &IdempotencyRequest, id: &str, now: Timestamp) -> Write {
    record_request(request, (CREATED, id), now)
}

fn record_request(
    request: &IdempotencyRequest,
    (attribute, id): (&'static str, &str),
    now: Timestamp,
) -> Write {
    let attributes = [
        ("request", item::text(&request.request_digest)),
        (attribute, item::text(id)),
        (TTL, item::number(now.plus(IDEMPOTENCY_RETENTION).unix_seconds())),
    ];
    Write::put(item::item(keys::idempotency(&request.tenant, &request.key_digest), attributes))
        .only_if("attribute_not_exists(pk) OR #ttl < :now")
        .name("#ttl", TTL)
        .value(":now", item::number(now.unix_seconds()))
}

/// What a request comes to whose key was used before, for what that item tells.
pub(super) fn replay_outcome(
    stored: &Item,
    request: &IdempotencyRequest,
) -> Result<SubmitOutcome, StoreError> {
    if item::get_text(stored, "request")? == request.request_digest {
        Ok(SubmitOutcome::Replayed(item::get_parsed(stored, "job")?))
    } else {
        Ok(SubmitOutcome::KeyReused)
    }
}
