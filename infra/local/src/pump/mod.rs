//! The local stand-in for the table's stream: hands open pieces of jobs to job-worker.
//!
//! On AWS the insertion of a piece reaches job-worker through the table's stream. Here the pieces that stand in the
//! sparse index of open work are looked up instead, as the sweep on AWS does it too: after every write of one, and once a
//! second. So nothing is lost when the process dies, and nothing has to be kept in step. job-worker gets the same
//! events as on AWS.

mod event;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use imageshare::Service;
use imageshare::store::{OPEN_SHARDS, PieceKey, StoreError};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep_until, timeout};

use self::event::Events;

/// Records that job-worker gets at once, as the event source mapping on AWS is configured.
const MOST_RECORDS: usize = 20;

/// Of these so many belong to one job, so that a large job does not make a small one wait.
const MOST_RECORDS_OF_A_JOB: usize = 2;

/// Batches that run at the same time.
const MOST_BATCHES: usize = 4;

/// Pieces that are looked up at once in a shard of the index.
const MOST_FOUND: usize = 100;

/// How long after a look there is another one, if nothing gives reason for an earlier one.
const IDLE: Duration = Duration::from_secs(1);

/// How long the look after a change is put off while earlier finds wait for their batch.
const BUSY: Duration = Duration::from_millis(250);

/// How often the scheduled sweep runs.
const SWEEP: Duration = Duration::from_mins(1);

/// How long a piece rests after its first failure; twice as long after each further one.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_mins(1);

/// How long running batches may take to end once the pump was told to stop.
const FAREWELL: Duration = Duration::from_secs(29);

/// Where pieces are found and carried out.
pub trait Work: Send + Sync + 'static {
    /// The oldest open pieces, a bounded number of them.
    fn open_pieces(&self) -> impl Future<Output = Result<Vec<PieceKey>, StoreError>> + Send;

    /// Carries out what an event says, and answers as the function does. The error is for the log.
    fn handle(&self, event: Value) -> impl Future<Output = Result<Value, String>> + Send;
}

/// The job-worker function over the table.
pub struct JobWorker {
    /// What the function works with.
    pub service: Service,
}

impl Work for JobWorker {
    async fn open_pieces(&self) -> Result<Vec<PieceKey>, StoreError> {
        let mut pieces = Vec::new();
        for shard in 0..OPEN_SHARDS {
            pieces.extend(self.service.store.open_pieces(shard, None, MOST_FOUND).await?);
        }
        Ok(pieces)
    }

    async fn handle(&self, event: Value) -> Result<Value, String> {
        job_worker::handle(&self.service, event).await.map_err(|problem| problem.to_string())
    }
}

/// Hands out work until `stop` is ready, then lets the running batches end. `written` tells of new work.
pub async fn run(work: Arc<impl Work>, written: &Notify, region: String, stop: impl Future<Output = ()>) {
    let mut pump = Pump::new(work, region);
    // Not at once: what an earlier process left open is found by the first look.
    let mut sweep = interval_at(Instant::now() + SWEEP, SWEEP);
    let mut stop = std::pin::pin!(stop);
    loop {
        if pump.has_room() && Instant::now() >= pump.next_look {
            pump.look().await;
        }
        pump.start_batches();
        let (has_room, next_look) = (pump.has_room(), pump.next_look);
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = pump.running.join_next() => pump.end(ended.ok()),
            _ = sweep.tick() => pump.start_sweep(),
            () = written.notified() => pump.look_soon(),
            () = sleep_until(next_look), if has_room => {}
        }
        // A batch must not keep others from running, however little it waits.
        tokio::task::yield_now().await;
    }
    let ended = timeout(FAREWELL, async { while pump.running.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!("work was still running 29 seconds after the stop; it goes on at the next start");
    }
}

/// What is being done and what waits.
struct Pump<W> {
    work: Arc<W>,
    events: Events,
    running: JoinSet<Ended>,
    in_flight: HashSet<PieceKey>,
    resting: HashMap<PieceKey, Rest>,
    /// Found and not yet begun.
    backlog: Vec<PieceKey>,
    last_look: Instant,
    next_look: Instant,
}

/// A piece that is left alone for a while.
struct Rest {
    failures: u32,
    until: Instant,
}

/// The end of a batch: which pieces, the first one's sequence number, and the function's answer.
struct Ended {
    pieces: Vec<PieceKey>,
    first: u64,
    answer: Result<Value, String>,
}

impl<W: Work> Pump<W> {
    fn new(work: Arc<W>, region: String) -> Self {
        let now = Instant::now();
        Self {
            work,
            events: Events::new(region),
            running: JoinSet::new(),
            in_flight: HashSet::new(),
            resting: HashMap::new(),
            backlog: Vec::new(),
            last_look: now,
            next_look: now,
        }
    }

    fn has_room(&self) -> bool {
        self.running.len() < MOST_BATCHES
    }

    fn look_soon(&mut self) {
        let soon = if self.backlog.is_empty() { Instant::now() } else { self.last_look + BUSY };
        self.next_look = self.next_look.min(soon);
    }

    /// Fills the backlog anew.
    async fn look(&mut self) {
        let found = self.work.open_pieces().await;
        let now = Instant::now();
        (self.last_look, self.next_look) = (now, now + IDLE);
        match found {
            Ok(found) => {
                let is_open: HashSet<_> = found.iter().copied().collect();
                self.resting.retain(|piece, rest| rest.until > now || is_open.contains(piece));
                self.backlog = found;
                self.backlog.retain(|piece| {
                    !self.in_flight.contains(piece)
                        && self.resting.get(piece).is_none_or(|rest| rest.until <= now)
                });
            }
            Err(problem) => tracing::error!(%problem, "open work could not be looked up; it is tried again"),
        }
    }

    fn start_batches(&mut self) {
        while self.has_room() && !self.backlog.is_empty() {
            let pieces = take_batch(&mut self.backlog);
            self.in_flight.extend(&pieces);
            let (event, first) = self.events.inserted(&pieces);
            self.start(event, pieces, first);
        }
    }

    fn start_sweep(&mut self) {
        let event = self.events.scheduled();
        self.start(event, Vec::new(), 0);
    }

    fn start(&mut self, event: Value, pieces: Vec<PieceKey>, first: u64) {
        let work = Arc::clone(&self.work);
        self.running.spawn(async move {
            // A task of its own, so that a panic is this batch's failure and no more.
            let handled = tokio::spawn(async move { work.handle(event).await }).await;
            let answer = handled.unwrap_or_else(|_| Err("job-worker panicked".to_owned()));
            Ended { pieces, first, answer }
        });
    }

    /// Takes note of a batch's end. As a stream does, it takes the record that the function names as the first
    /// failure, and all after it, for undone.
    fn end(&mut self, ended: Option<Ended>) {
        let Some(Ended { pieces, first, answer }) = ended else { return };
        let undone = match &answer {
            Ok(answer) => event::first_failure(answer, first, pieces.len()),
            Err(_) => Some(0..pieces.len()),
        };
        if let Err(problem) = &answer {
            tracing::error!(problem, pieces = pieces.len(), "job-worker failed; it is tried again");
        }
        let now = Instant::now();
        for (place, piece) in pieces.into_iter().enumerate() {
            self.in_flight.remove(&piece);
            match &undone {
                Some(failed) if failed.contains(&place) => self.rest(piece, now),
                // Not begun, or not finished: it may go on at once.
                Some(failed) if place >= failed.end => {}
                // Should it still be open, then not for long.
                _ => drop(self.resting.insert(piece, Rest { failures: 0, until: now + BUSY })),
            }
        }
        if self.backlog.is_empty() {
            self.next_look = now;
        }
    }

    fn rest(&mut self, piece: PieceKey, now: Instant) {
        let rest = self.resting.entry(piece).or_insert(Rest { failures: 0, until: now });
        let pause = FIRST_REST.saturating_mul(1 << rest.failures.min(6)).min(LONGEST_REST);
        rest.failures += 1;
        rest.until = now + pause;
        tracing::warn!(job = %piece.job, piece = piece.number, failures = rest.failures, "a piece failed; it is tried again");
    }
}

/// Takes the next batch out of the backlog, in its order.
fn take_batch(backlog: &mut Vec<PieceKey>) -> Vec<PieceKey> {
    let mut batch = Vec::new();
    let mut of_job = HashMap::new();
    backlog.retain(|piece| {
        let of_job = of_job.entry(piece.job).or_insert(0);
        let taken = batch.len() < MOST_RECORDS && *of_job < MOST_RECORDS_OF_A_JOB;
        if taken {
            *of_job += 1;
            batch.push(*piece);
        }
        !taken
    });
    batch
}

#[cfg(test)]
mod tests;
