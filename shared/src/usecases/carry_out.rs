//! Carry out a piece of a job.

use std::time::Duration;

use crate::Service;
use crate::domain::{Decision, Outcome, decide, give_up};
use crate::store::{PieceKey, Snapshot, StoreError, Tenants, Written};

/// How often in a row a step may find that somebody else has changed what it was decided from.
const STALE_STEPS: u32 = 20;

/// Carries out what is left of a piece, step by step: reads what the step touches, decides, and writes the decision with
/// the piece's cursor in one transaction. A piece that is finished already, or that another worker finishes meanwhile,
/// is left alone.
///
/// A worker may die at any point, or work beside another one on the same piece: a step is made wholly and once, or
/// not at all.
///
/// # Errors
/// [`StoreError`] where the table failed; what was done stays done, and the rest is done by the next attempt.
pub async fn carry_out(service: &Service, key: PieceKey) -> Result<(), StoreError> {
    run(service, key, Effort::Full).await
}

/// Ends a piece that many attempts could not carry out: what is not as the job wants it has failed.
///
/// # Errors
/// [`StoreError`] where the table failed.
pub(super) async fn abandon(service: &Service, key: PieceKey) -> Result<(), StoreError> {
    run(service, key, Effort::None).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    Full,
    None,
}

async fn run(service: &Service, key: PieceKey, effort: Effort) -> Result<(), StoreError> {
    let (store, rules) = (&service.store, service.settings.rules());
    let Some(mut open) = store.open_piece(key).await? else { return Ok(()) };
    let mut stale_steps = 0;
    while open.piece.finished.is_none() {
        let pairs = open.job.step(open.piece.left());
        let ids = pairs.clone().filter_map(|number| open.job.pair(number));
        // What has turned out to stand in the way may be of the tenants.
        let tenants = if stale_steps == 0 && effort == Effort::Full { Tenants::Unread } else { Tenants::Read };
        let snapshot = store.snapshot_for(&open.job.task, ids, tenants).await;
        let (read, decision) = match (snapshot, effort) {
            (Ok(read), Effort::Full) => {
                let decision = decide(&open.job, pairs, &read.known, rules);
                (read, decision)
            }
            (Ok(read), Effort::None) => {
                let decision = give_up(&open.job, pairs, &read.known, rules);
                (read, decision)
            }
            (Err(StoreError::Unreadable(attribute)), Effort::None) => {
                tracing::error!(job = %key.job, piece = key.number, attribute, "an item cannot be read");
                let outcomes = pairs.map(|_| Outcome::GaveUp).collect();
                (Snapshot::default(), Decision { outcomes, ..Decision::default() })
            }
            (Err(problem), _) => return Err(problem),
        };
        if store.make_step(&mut open, &decision, &read, rules).await? == Written::Yes {
            stale_steps = 0;
            continue;
        }
        stale_steps += 1;
        if stale_steps > STALE_STEPS {
            return Err(StoreError::Unavailable("the step's items are changed all the time".into()));
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..10 * u64::from(stale_steps)))).await;
        let Some(again) = store.open_piece(key).await? else { return Ok(()) };
        open = again;
    }
    tracing::info!(job = %key.job, piece = key.number, pairs = open.piece.pairs.len(), "piece finished");
    Ok(())
}
