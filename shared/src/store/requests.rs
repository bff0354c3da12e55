//! Requests that their client may send again: remembered by its key, together with the job that they became, or the id of
//! what they created.

use std::time::Duration;

use super::item::{self, Item};
use super::keys::{self, TTL};
use super::{Store, StoreError};
use crate::domain::{Job, JobId, TenantId, Timestamp};
use crate::table::Write;

/// How long a request is remembered by its idempotency key (`contract/decisions.md` 22).
const REQUEST_IS_KEPT: Duration = Duration::from_hours(24);

/// The attribute that names what a request has created.
const CREATED: &str = "created";

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

/// What a request has come to that creates something at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Earlier {
    /// The same request has created the thing of that id.
    Created(String),
    /// The idempotency key was used for another request.
    KeyUsed,
}

impl Store {
    /// Reads what a request has created that was made before; `None` where its key is new, or forgotten. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn created_before(&self, request: &Remembered) -> Result<Option<Earlier>, StoreError> {
        let Some(before) = self.kept_request(request).await? else { return Ok(None) };
        if item::get_text(&before, "request")? != request.request_digest {
            return Ok(Some(Earlier::KeyUsed));
        }
        item::get_text(&before, CREATED).map(|id| Some(Earlier::Created(id.to_owned())))
    }

    /// Reads what came of a request that was accepted before; `None` where its key is new, or forgotten.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn submitted_before(&self, request: &Remembered) -> Result<Option<Submitted>, StoreError> {
        self.kept_request(request).await?.map(|before| before_as(&before, request)).transpose()
    }

    /// The item of a request's key, unless it is to be forgotten.
    async fn kept_request(&self, request: &Remembered) -> Result<Option<Item>, StoreError> {
        let key = keys::idempotency(&request.tenant, &request.key_digest);
        let Some(before) = self.read_one(key).await? else { return Ok(None) };
        let is_kept = item::get_number::<i64>(&before, TTL)? >= self.clock.now().unix_seconds();
        Ok(is_kept.then_some(before))
    }
}

/// The write that remembers a request that became a job; its condition fails where the key was used before.
pub(super) fn remember(request: &Remembered, job: &Job) -> Write {
    remember_as(request, ("job", &job.id.to_string()), job.accepted)
}

/// The write that remembers a request that creates the thing of that id; its condition fails where the key was used before.
pub(super) fn remember_created(request: &Remembered, id: &str, now: Timestamp) -> Write {
    remember_as(request, (CREATED, id), now)
}

fn remember_as(request: &Remembered, (attribute, id): (&'static str, &str), now: Timestamp) -> Write {
    let attributes = [
        ("request", item::text(&request.request_digest)),
        (attribute, item::text(id)),
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
