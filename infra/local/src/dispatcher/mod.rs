//! Dispatches open work items to job-worker, in place of the table's stream.
//!
//! On AWS the stream delivers each inserted work item to job-worker. Here the dispatcher polls the sparse index of open
//! work, as the sweep does on AWS: after every write of a work item, and once a second. So nothing is lost when the
//! process dies, and there is no second record of open work to keep consistent. job-worker gets the same events as on
//! AWS. A server over a table in DynamoDB has its own [`Worker`], which polls nothing (`remote/open_work.rs`).

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
pub(crate) use self::event::is_schedule_event;
use crate::functions::CURRENT_FUNCTION;

/// Records in one batch, as in the event source mapping on AWS.
const MAX_BATCH_RECORDS: usize = 20;

/// Records of one job in a batch, so that a large job does not delay a small one.
const MAX_BATCH_RECORDS_PER_JOB: usize = 2;

/// Batches that run at the same time.
const MAX_CONCURRENT_BATCHES: usize = 4;

/// Work items that one poll reads from a shard of the index.
const MAX_ITEMS_PER_SHARD: usize = 100;

/// The interval between two polls if no work item is written in between.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long after a poll the next one may follow while the backlog is not empty, and how long a work item waits that
/// its batch left open without failing.
const BUSY_POLL_DELAY: Duration = Duration::from_millis(250);

/// How often the scheduled sweep runs.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// The backoff of a work item after its first failure. Doubles with each further failure.
const INITIAL_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_mins(1);

/// How long running batches may take to end after a stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(29);

/// Finds open work items and executes them; a trait so that tests can replace it.
pub trait Worker: Send + Sync + 'static {
    /// Reads the oldest open work items, up to a bound. One query for each shard of the index.
    fn open_work_items(&self) -> impl Future<Output = Result<Vec<WorkItemKey>, StoreError>> + Send;

    /// Runs the function on an event, and returns its response. The error is for the log.
    fn handle(&self, event: Value) -> impl Future<Output = Result<Value, String>> + Send;

    /// Learns that a work item was handled without a failure. Usually it has ended.
    fn finished(&self, _: WorkItemKey) {}

    /// When the first sweep runs. By default not at once, since the first poll finds the work that an earlier process
    /// left open.
    fn first_sweep_delay(&self) -> Duration {
        SWEEP_INTERVAL
    }
}

/// The job-worker function on the embedded table.
pub struct JobWorker {
    /// The store and settings of the function.
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
        let response = CURRENT_FUNCTION.scope("job-worker", job_worker::handle(&self.app, event)).await;
        response.map_err(|problem| problem.to_string())
    }
}

/// Dispatches work until `stop` is ready, then waits up to 29 seconds for running batches. `work_notify` announces new
/// work.
pub async fn run(
    worker: Arc<impl Worker>,
    work_notify: &Notify,
    region: String,
    stop: impl Future<Output = ()>,
) {
    let mut sweep = interval_at(Instant::now() + worker.first_sweep_delay(), SWEEP_INTERVAL);
    let mut dispatcher = Dispatcher::new(worker, region);
    let mut stop = std::pin::pin!(stop);
    loop {
        if dispatcher.has_capacity() && Instant::now() >= dispatcher.next_poll {
            dispatcher.poll().await;
        }
        dispatcher.start_batches();
        let (has_capacity, next_poll) = (dispatcher.has_capacity(), dispatcher.next_poll);
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(ended) = dispatcher.running.join_next() => dispatcher.finish_batch(ended.ok()),
            _ = sweep.tick() => dispatcher.start_sweep(),
            () = work_notify.notified() => dispatcher.poll_soon(),
            () = sleep_until(next_poll), if has_capacity => {}
        }
        // Lets other tasks run, even if no branch had to wait.
        tokio::task::yield_now().await;
    }
    let ended = timeout(STOP_TIMEOUT, async { while dispatcher.running.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!("work was still running 29 seconds after the stop; it continues at the next start");
    }
}

/// The batches that run, and the work items that wait.
struct Dispatcher<W> {
    worker: Arc<W>,
    events: EventBuilder,
    running: JoinSet<BatchResult>,
    in_flight: HashSet<WorkItemKey>,
    backoffs: HashMap<WorkItemKey, Backoff>,
    /// Work items that the last poll found and no batch has yet.
    backlog: Vec<WorkItemKey>,
    last_poll: Instant,
    next_poll: Instant,
}

/// A work item that is not dispatched until a time.
struct Backoff {
    failures: u32,
    until: Instant,
}

/// The result of a batch.
struct BatchResult {
    items: Vec<WorkItemKey>,
    first_sequence_number: u64,
    response: Result<Value, String>,
}

impl<W: Worker> Dispatcher<W> {
    fn new(worker: Arc<W>, region: String) -> Self {
        let now = Instant::now();
        Self {
            worker,
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

    /// Replaces the backlog with the open work items that are neither running nor backing off.
    async fn poll(&mut self) {
        let found = self.worker.open_work_items().await;
        let now = Instant::now();
        (self.last_poll, self.next_poll) = (now, now + POLL_INTERVAL);
        match found {
            Ok(found) => {
                let is_open: HashSet<_> = found.iter().copied().collect();
                self.backoffs.retain(|item, backoff| backoff.until > now || is_open.contains(item));
                self.backlog = found;
                self.backlog.retain(|item| {
                    !self.in_flight.contains(item)
                        && self.backoffs.get(item).is_none_or(|backoff| backoff.until <= now)
                });
            }
            Err(problem) => {
                tracing::error!(%problem, "open work items could not be read; the next poll retries");
            }
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

    fn spawn_batch(&mut self, event: Value, items: Vec<WorkItemKey>, first_sequence_number: u64) {
        let worker = Arc::clone(&self.worker);
        self.running.spawn(async move {
            // A separate task, so that a panic fails this batch only.
            let result = tokio::spawn(async move { worker.handle(event).await }).await;
            let response = result.unwrap_or_else(|_| Err("job-worker panicked".to_owned()));
            BatchResult { items, first_sequence_number, response }
        });
    }

    /// Records a batch's end. As a stream does, it treats the record that the function names as failed, and all
    /// records after it as not finished.
    fn finish_batch(&mut self, ended: Option<BatchResult>) {
        let Some(BatchResult { items, first_sequence_number, response }) = ended else { return };
        let failed = match &response {
            Ok(response) => event::failed_records(response, first_sequence_number, items.len()),
            Err(_) => Some(0..items.len()),
        };
        if let Err(problem) = &response {
            tracing::error!(
                problem,
                work_items = items.len(),
                "job-worker failed; its work items are retried"
            );
        }
        let now = Instant::now();
        for (index, item) in items.into_iter().enumerate() {
            self.in_flight.remove(&item);
            match &failed {
                Some(failed) if failed.contains(&index) => self.back_off(item, now),
                // Not finished: it may be dispatched again at once.
                Some(failed) if index >= failed.end => {}
                // Usually it has ended. If it is still open, the next poll finds it.
                _ => {
                    self.worker.finished(item);
                    self.backoffs.insert(item, Backoff { failures: 0, until: now + BUSY_POLL_DELAY });
                }
            }
        }
        if self.backlog.is_empty() {
            self.next_poll = now;
        }
    }

    fn back_off(&mut self, work_item: WorkItemKey, now: Instant) {
        let backoff = self.backoffs.entry(work_item).or_insert(Backoff { failures: 0, until: now });
        let delay = INITIAL_BACKOFF.saturating_mul(1 << backoff.failures.min(6)).min(MAX_BACKOFF);
        backoff.failures += 1;
        backoff.until = now + delay;
        tracing::warn!(
            job = %work_item.job,
            work_item = work_item.number,
            failures = backoff.failures,
            "a work item failed; it is retried"
        );
    }
}

/// Removes the next batch from the backlog, in its order.
fn take_batch(backlog: &mut Vec<WorkItemKey>) -> Vec<WorkItemKey> {
    let mut batch = Vec::new();
    let mut counts = HashMap::new();
    backlog.retain(|item| {
        let count = counts.entry(item.job).or_insert(0);
        let is_taken = batch.len() < MAX_BATCH_RECORDS && *count < MAX_BATCH_RECORDS_PER_JOB;
        if is_taken {
            *count += 1;
            batch.push(*item);
        }
        !is_taken
    });
    batch
}

#[cfg(test)]
mod tests;
