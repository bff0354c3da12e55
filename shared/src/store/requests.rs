//! Requests that their client may send again: remembered by its key, together with the job that they became.

use std::time::Duration;

use super::item::{self, Item};
use super::keys::{self, TTL};
use super::{Store, StoreError};
use crate::domain::{Job, JobId, TenantId};
use crate::table::Write;

/// How long a request is remembered by its idempotency key (`contract/decisions.md` 22).
const REQUEST_IS_KEPT: Duration = Duration::from_hours(24);

/// A request that its client may send again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// Whose key it is.
    pub tenant: TenantId,
    /// The hash of the client's key.
    pub key_digest: String,
    /// The hash of the request.
    pub request_digest: String,
}

/// What came of submitting a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is accepted.
    Yes,
    /// The same request was accepted before, as that job.
    Before(JobId),
    /// The idempotency key was used for another request.
    KeyUsed,
}

impl Store {
    /// Reads what came of a request that was accepted before; `None` where its key is new, or forgotten.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn submitted_before(&self, request: &Remembered) -> Result<Option<Submitted>, StoreError> {
        let key = keys::idempotency(&request.tenant, &request.key_digest);
        let Some(before) = self.read_one(key).await? else { return Ok(None) };
        let is_kept = item::get_number::<i64>(&before, TTL)? >= self.clock.now().unix_seconds();
        is_kept.then(|| before_as(&before, request)).transpose()
    }
}

/// The write that remembers a request; its condition fails where the key was used before.
pub(super) fn remember(request: &Remembered, job: &Job) -> Write {
    let now = job.accepted;
    let attributes = [
        ("request", item::text(&request.request_digest)),
        ("job", item::text(job.id)),
        (TTL, item::number(now.plus(REQUEST_IS_KEPT).unix_seconds())),
    ];
    Write::put(item::item(keys::idempotency(&request.tenant, &request.key_digest), attributes))
        .only_if("attribute_not_exists(pk) OR #ttl < :now")
        .name("#ttl", TTL)
        .value(":now", item::number(now.unix_seconds()))
}

/// What a request comes to whose key was used before, for what that item tells.
pub(super) fn before_as(before: &Item, request: &Remembered) -> Result<Submitted, StoreError> {
    if item::get_text(before, "request")? == request.request_digest {
        Ok(Submitted::Before(item::get_parsed(before, "job")?))
    } else {
        Ok(Submitted::KeyUsed)
    }
}
