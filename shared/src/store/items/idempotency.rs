//! The item of a request under its idempotency key.

use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::{Job, JobId, TenantId, Timestamp};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, TTL};
use crate::table::Write;

/// How long an idempotency key is kept (`contract/decisions.md` 22).
pub const IDEMPOTENCY_RETENTION: Duration = Duration::from_hours(24);

/// The attribute that holds the id of what a request has created.
pub const CREATED: &str = "created";

/// A request with an idempotency key, which its client may retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyRequest {
    /// The tenant of the request. Keys of different tenants are independent.
    pub tenant: TenantId,
    /// The hash of the client's key.
    pub key_digest: String,
    /// The hash of the request, which tells a retry from another request under the same key.
    pub request_digest: String,
}

impl IdempotencyRequest {
    /// The digests of a request and its key. Two requests are the same if their `content` is equal.
    pub fn new(tenant: TenantId, key: &[u8], content: &impl Serialize) -> Self {
        let content = serde_json::to_vec(content).unwrap_or_default();
        Self { tenant, key_digest: hex_digest(key), request_digest: hex_digest(&content) }
    }
}

fn hex_digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The outcome of submitting a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmitOutcome {
    /// The job is accepted.
    Accepted,
    /// The same request was accepted before, as this job.
    Replayed(JobId),
    /// The idempotency key was used for another request.
    KeyReused,
}

/// Returns the write that stores a request that became a job. Its condition fails if the key was used before.
pub fn record_job(request: &IdempotencyRequest, job: &Job) -> Write {
    record_request(request, ("job", &job.id.to_string()), job.accepted_at)
}

/// Returns the write that stores a request that created the object with this id. Its condition fails if the key was
/// used before.
pub fn record_created(request: &IdempotencyRequest, id: &str, now: Timestamp) -> Write {
    record_request(request, (CREATED, id), now)
}

pub fn record_request(
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

/// Returns the outcome of a request whose key was used before, from the item stored under the key.
pub fn replay_outcome(stored: &Item, request: &IdempotencyRequest) -> Result<SubmitOutcome, StoreError> {
    if item::get_text(stored, "request")? == request.request_digest {
        Ok(SubmitOutcome::Replayed(item::get_parsed(stored, "job")?))
    } else {
        Ok(SubmitOutcome::KeyReused)
    }
}
