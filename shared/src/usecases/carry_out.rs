//! Carry out a piece of a job.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use super::answer_all::answer_all;
use super::failures::Failures;
use super::older_work::{Waiting, older_work};
use crate::Service;
use crate::domain::{Decision, Job, Outcome, Task, decide, give_up};
use crate::store::{OpenPiece, PieceKey, Snapshot, StoreError, Written};

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
pub async fn abandon(service: &Service, key: PieceKey) -> Result<(), StoreError> {
    run(service, key, Effort::None).await
}

/// Whether what is left is attempted, or ended as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effort {
    Full,
    None,
}

/// How often in a row a step found that somebody else has changed what it was decided from.
#[derive(Debug, Default)]
pub(super) struct StaleSteps(u32);

impl StaleSteps {
    /// How often is too often.
    const MOST: u32 = 20;

    /// Counts one more, and waits a little, at random, so that two who met part.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there were too many.
    pub(super) async fn wait(&mut self) -> Result<(), StoreError> {
        self.0 += 1;
        if self.0 > Self::MOST {
            return Err(StoreError::Unavailable("the step's items are changed all the time".into()));
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..10 * u64::from(self.0)))).await;
        Ok(())
    }
}

async fn run(service: &Service, key: PieceKey, effort: Effort) -> Result<(), StoreError> {
    let (store, rules) = (&service.store, service.settings.rules());
    let Some(mut open) = store.open_piece(key).await? else { return Ok(()) };
    if matches!(open.job.task, Task::RespondToAll { .. }) {
        answer_all(service, key, effort).await?;
        return store.dequeue(&open.job).await;
    }
    let mut stale = StaleSteps::default();
    while open.piece.finished.is_none() {
        let pairs = open.job.step(open.piece.left());
        let (read, decision) = match (read_step(service, &open, pairs.clone(), effort).await, effort) {
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
            stale = StaleSteps::default();
            continue;
        }
        stale.wait().await?;
        let Some(again) = store.open_piece(key).await? else { return Ok(()) };
        open = again;
    }
    let failures = Failures::of(&open.job, open.piece.pairs.start, &open.piece.outcomes);
    tracing::info!(
        job = %key.job,
        piece = key.number,
        pairs = open.piece.pairs.len(),
        failed = failures.count,
        first_failure = failures.first(),
        "piece finished"
    );
    end_job(service, &open.job).await
}

/// Reads what a step is decided from. An answer waits until what was requested before it is carried out on its pairs.
async fn read_step(
    service: &Service,
    open: &OpenPiece,
    pairs: Range<usize>,
    effort: Effort,
) -> Result<Snapshot, StoreError> {
    let pairs: Vec<_> = pairs.filter_map(|number| open.job.pair(number)).collect();
    let mut waiting = Waiting::new();
    loop {
        let mut read = service.store.snapshot_for(&open.job.task, &pairs).await?;
        if !matches!(open.job.task, Task::Respond { .. }) || effort == Effort::None {
            return Ok(read);
        }
        let owners: BTreeSet<_> = read.known.images.values().map(|head| head.owner.clone()).collect();
        service.store.read_tenants(&mut read, &owners).await?;
        if !older_work(service, &read, &pairs, Some(open.job.id)).await? {
            return Ok(read);
        }
        if !waiting.pause().await {
            return Err(StoreError::Unavailable("an earlier request is not carried out yet".into()));
        }
    }
}

/// Takes a job out of its queues where its last piece has ended. One query, unless the job is in none.
pub(super) async fn end_job(service: &Service, job: &Job) -> Result<(), StoreError> {
    if job.queues.is_empty() {
        return Ok(());
    }
    let has_ended = if job.is_large() {
        service.store.report(job.id).await?.is_some_and(|report| report.ended().is_some())
    } else {
        true
    };
    if has_ended { service.store.dequeue(job).await } else { Ok(()) }
}
