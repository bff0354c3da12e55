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

use imageshare::App;
use imageshare::store::{OPEN_SHARDS, StoreError, WorkItemKey};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep_until, timeout};

use self::event::EventBuilder;

/// Records that job-worker gets at once, as the event source mapping on AWS is configured.
const MAX_BATCH_RECORDS: usize = 20;

/// Of these so many belong to one job, so that a large job does not make a small one wait.
const MAX_BATCH_RECORDS_PER_JOB: usize = 2;

/// Batches that run at the same time.
const MAX_CONCURRENT_BATCHES: usize = 4;

/// Pieces that are looked up at once in a shard of the index.
const MAX_ITEMS_PER_SHARD: usize = 100;

/// How long after a look there is another one, if nothing gives reason for an earlier one.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long the look after a change is put off while earlier finds wait for their batch.
const BUSY_POLL_DELAY: Duration = Duration::from_millis(250);

/// How often the scheduled sweep runs.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// How long a piece rests after its first failure; twice as long after each further one.
const INITIAL_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_mins(1);

/// How long running batches may take to end once the pump was told to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(29);

/// Where pieces are found and carried out.
pub trait Worker: Send + Sync + 'static {
    /// The oldest open pieces, a bounded number of them.
    fn open_work_items(&self) -> impl Future<Output = Result<Vec<WorkItemKey>, StoreError>> + Send;

    /// Carries out what an event says, and answers as the function does. The error is for the log.
    fn handle(&self, event: Value) -> impl Future<Output = Result<Value, String>> + Send;
}

/// The job-worker function over the table.
pub struct JobWorker {
    /// What the function works with.
    pub app: App,
}

impl Worker for JobWorker {
    async fn open_work_items(&self) -> Result<Vec<WorkItemKey>, StoreError> {
        let mut work_items = Vec::new();
        for shard in 0..OPEN_SHARDS {
            work_items.extend(self.app.store.open_work_items(shard, None, MAX_ITEMS_PER_SHARD).await?);
        }
        Ok(work_items)
    }

    async fn handle(&self, event: Value) -> Result<Value, String> {
        job_worker::handle(&self.app, event).await.map_err(|problem| problem.to_string())
    }
}

/// Hands out work until `stop` is ready, then lets the running batches end. `written` tells of new work.
pub async fn run(work: Arc<impl Worker>, written: &Notify, region: String, stop: impl Future<Output = ()>) {
    let mut pump = Dispatcher::new(work, region);
    // Not at once: what an earlier process left open is found by the first look.
    let mut sweep = interval_at(Instant::now() + SWEEP_INTERVAL, SWEEP_INTERVAL);
    let mut stop = std::pin::pin!(stop);
    loop {
        if pump.has_capacity() && Instant::now() >= pump.next_poll {
            pump.poll().await;
        }
        pump.start_batches();
        let (has_room, next_look) = (pump.has_capacity(), pump.next_poll);
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = pump.running.join_next() => pump.finish_batch(ended.ok()),
            _ = sweep.tick() => pump.start_sweep(),
            () = written.notified() => pump.poll_soon(),
            () = sleep_until(next_look), if has_room => {}
        }
        // A batch must not keep others from running, however little it waits.
        tokio::task::yield_now().await;
    }
    let ended = timeout(STOP_TIMEOUT, async { while pump.running.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!("work was still running 29 seconds after the stop; it goes on at the next start");
    }
}

/// What is being done and what waits.
struct Dispatcher<W> {
    worker: Arc<W>,
    events: EventBuilder,
    running: JoinSet<BatchResult>,
    in_flight: HashSet<WorkItemKey>,
    backoffs: HashMap<WorkItemKey, Backoff>,
    /// Found and not yet begun.
    backlog: Vec<WorkItemKey>,
    last_poll: Instant,
    next_poll: Instant,
}

/// A piece that is left alone for a while.
struct Backoff {
    failures: u32,
    until: Instant,
}

/// The end of a batch: which pieces, the first one's sequence number, and the function's answer.
struct BatchResult {
    items: Vec<WorkItemKey>,
    first_sequence_number: u64,
    response: Result<Value, String>,
}

impl<W: Worker> Dispatcher<W> {
    fn new(work: Arc<W>, region: String) -> Self {
        let now = Instant::now();
        Self {
            worker: work,
            events: EventBuilder::new(region),
            running: JoinSet::new(),
            in_flight: HashSet::new(),
            backoffs: HashMap::new(),
            backlog: Vec::new(),
            last_poll: now,
            next_poll: now,
        }
    }

    fn has_capacity(&self) -> bool {
        self.running.len() < MAX_CONCURRENT_BATCHES
    }

    fn poll_soon(&mut self) {
        let soon = if self.backlog.is_empty() { Instant::now() } else { self.last_poll + BUSY_POLL_DELAY };
        self.next_poll = self.next_poll.min(soon);
    }

    /// Fills the backlog anew.
    async fn poll(&mut self) {
        let found = self.worker.open_work_items().await;
        let now = Instant::now();
        (self.last_poll, self.next_poll) = (now, now + POLL_INTERVAL);
        match found {
            Ok(found) => {
                let is_open: HashSet<_> = found.iter().copied().collect();
                self.backoffs.retain(|piece, rest| rest.until > now || is_open.contains(piece));
                self.backlog = found;
                self.backlog.retain(|piece| {
                    !self.in_flight.contains(piece)
                        && self.backoffs.get(piece).is_none_or(|rest| rest.until <= now)
                });
            }
            Err(problem) => tracing::error!(%problem, "open work could not be looked up; it is tried again"),
        }
    }

    fn start_batches(&mut self) {
        while self.has_capacity() && !self.backlog.is_empty() {
            let work_items = take_batch(&mut self.backlog);
            self.in_flight.extend(&work_items);
            let (event, first) = self.events.insert_event(&work_items);
            self.spawn_batch(event, work_items, first);
        }
    }

    fn start_sweep(&mut self) {
        let event = self.events.schedule_event();
        self.spawn_batch(event, Vec::new(), 0);
    }

    fn spawn_batch(&mut self, event: Value, pieces: Vec<WorkItemKey>, first: u64) {
        let work = Arc::clone(&self.worker);
        self.running.spawn(async move {
            // A task of its own, so that a panic is this batch's failure and no more.
            let handled = tokio::spawn(async move { work.handle(event).await }).await;
            let answer = handled.unwrap_or_else(|_| Err("job-worker panicked".to_owned()));
            BatchResult { items: pieces, first_sequence_number: first, response: answer }
        });
    }

    /// Takes note of a batch's end. As a stream does, it takes the record that the function names as the first
    /// failure, and all after it, for undone.
    fn finish_batch(&mut self, ended: Option<BatchResult>) {
        let Some(BatchResult { items: pieces, first_sequence_number: first, response: answer }) = ended
        else {
            return;
        };
        let undone = match &answer {
            Ok(answer) => event::failed_records(answer, first, pieces.len()),
            Err(_) => Some(0..pieces.len()),
        };
        if let Err(problem) = &answer {
            tracing::error!(problem, pieces = pieces.len(), "job-worker failed; it is tried again");
        }
        let now = Instant::now();
        for (place, piece) in pieces.into_iter().enumerate() {
            self.in_flight.remove(&piece);
            match &undone {
                Some(failed) if failed.contains(&place) => self.back_off(piece, now),
                // Not begun, or not finished: it may go on at once.
                Some(failed) if place >= failed.end => {}
                // Should it still be open, then not for long.
                _ => drop(self.backoffs.insert(piece, Backoff { failures: 0, until: now + BUSY_POLL_DELAY })),
            }
        }
        if self.backlog.is_empty() {
            self.next_poll = now;
        }
    }

    fn back_off(&mut self, work_item: WorkItemKey, now: Instant) {
        let rest = self.backoffs.entry(work_item).or_insert(Backoff { failures: 0, until: now });
        let pause = INITIAL_BACKOFF.saturating_mul(1 << rest.failures.min(6)).min(MAX_BACKOFF);
        rest.failures += 1;
        rest.until = now + pause;
        tracing::warn!(job = %work_item.job, piece = work_item.number, failures = rest.failures, "a piece failed; it is tried again");
    }
}

/// Takes the next batch out of the backlog, in its order.
fn take_batch(backlog: &mut Vec<WorkItemKey>) -> Vec<WorkItemKey> {
    let mut batch = Vec::new();
    let mut of_job = HashMap::new();
    backlog.retain(|piece| {
        let of_job = of_job.entry(piece.job).or_insert(0);
        let taken = batch.len() < MAX_BATCH_RECORDS && *of_job < MAX_BATCH_RECORDS_PER_JOB;
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
