//! Find work that was left lying, so that no job is under way for ever.

use std::time::Duration;

use super::carry_out::{abandon, carry_out};
use crate::Service;
use crate::domain::Timestamp;
use crate::store::{OPEN_SHARDS, PieceKey, StoreError};

/// A piece of a request that is older than this should have been carried out.
const OVERDUE: Duration = Duration::from_mins(1);

/// After so many sweeps a piece is given up. One sweep a minute.
const ATTEMPTS: u32 = 10;

/// The most pieces of a shard that one sweep takes on.
const PIECES_PER_SHARD: usize = 100;

/// The most jobs of a shard that wait for an earlier one of their tenant and are looked at in one sweep.
const HELD_PER_SHARD: usize = 100;

/// What a sweep has found and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Pieces that were carried out.
    pub carried_out: usize,
    /// Pieces that were ended as failed.
    pub given_up: usize,
    /// Pieces that are still open.
    pub left: usize,
}

/// Carries out every piece that is overdue, the oldest first, and gives up those that ten sweeps could not carry out. A job that
/// waits for one that has ended gets its turn.
/// `until` is when the sweep must have ended; what it does not reach is found by the next.
///
/// # Errors
/// [`StoreError`] where the list of open pieces cannot be read; a piece that fails is counted and left.
pub async fn sweep(service: &Service, until: Timestamp) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    for shard in 0..OPEN_SHARDS {
        let overdue = service.clock().now().minus(OVERDUE);
        for job in service.store.held_jobs(shard, overdue, HELD_PER_SHARD).await? {
            service.store.unblock(&job).await?;
        }
        for key in service.store.open_pieces(shard, Some(overdue), PIECES_PER_SHARD).await? {
            if Timestamp::now() >= until {
                swept.left += 1;
                continue;
            }
            match attempt(service, key).await {
                Ok(Attempt::CarriedOut) => swept.carried_out += 1,
                Ok(Attempt::GivenUp) => swept.given_up += 1,
                Err(problem) => {
                    tracing::warn!(job = %key.job, piece = key.number, %problem, "an overdue piece failed");
                    swept.left += 1;
                }
            }
        }
    }
    Ok(swept)
}

enum Attempt {
    CarriedOut,
    GivenUp,
}

async fn attempt(service: &Service, key: PieceKey) -> Result<Attempt, StoreError> {
    if service.store.count_attempt(key).await? > ATTEMPTS {
        abandon(service, key).await?;
        tracing::error!(job = %key.job, piece = key.number, "piece given up");
        return Ok(Attempt::GivenUp);
    }
    carry_out(service, key).await?;
    Ok(Attempt::CarriedOut)
}
