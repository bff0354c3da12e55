use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use imageshare::domain::{JobId, Stamp};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::*;

/// Open work items, and a worker that finishes them.
struct FakeWorker {
    open: Mutex<BTreeMap<WorkItemKey, Behaviour>>,
    /// Has a permit for each poll.
    polls: Semaphore,
    /// Gets every batch when it is dispatched.
    batches: mpsc::UnboundedSender<Vec<WorkItemKey>>,
    /// Has a permit for each batch that may end.
    finish_permits: Semaphore,
}

#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    Succeeds,
    Fails,
    Panics,
}

impl Worker for FakeWorker {
    async fn open_work_items(&self) -> Result<Vec<WorkItemKey>, StoreError> {
        let found = self.open.lock().unwrap().keys().copied().collect();
        self.polls.add_permits(1);
        Ok(found)
    }

    async fn handle(&self, event: Value) -> Result<Value, String> {
        let records = event["Records"].as_array().unwrap();
        let key =
            |record: &Value, name: &str| record["dynamodb"]["Keys"][name]["S"].as_str().unwrap().to_owned();
        let work_items: Vec<_> = records
            .iter()
            .map(|record| WorkItemKey::parse(&key(record, "pk"), &key(record, "sk")).unwrap())
            .collect();
        self.batches.send(work_items.clone()).unwrap();
        self.finish_permits.acquire().await.unwrap().forget();
        for (work_item, record) in work_items.iter().zip(records) {
            let behaviour = self.open.lock().unwrap().get(work_item).copied();
            match behaviour {
                Some(Behaviour::Fails) => {
                    let failed = &record["dynamodb"]["SequenceNumber"];
                    return Ok(json!({ "batchItemFailures": [{ "itemIdentifier": failed }] }));
                }
                Some(Behaviour::Panics) => panic!("on purpose"),
                _ => drop(self.open.lock().unwrap().remove(work_item)),
            }
        }
        Ok(json!({ "batchItemFailures": [] }))
    }
}

struct Harness {
    worker: Arc<FakeWorker>,
    batches: mpsc::UnboundedReceiver<Vec<WorkItemKey>>,
    work_notify: Arc<Notify>,
    stop: oneshot::Sender<()>,
    dispatcher: tokio::task::JoinHandle<()>,
}

fn start(open: &[(WorkItemKey, Behaviour)], finish_permits: usize) -> Harness {
    let (sender, batches) = mpsc::unbounded_channel();
    let open = Mutex::new(open.iter().copied().collect());
    let worker = Arc::new(FakeWorker {
        open,
        polls: Semaphore::new(0),
        batches: sender,
        finish_permits: Semaphore::new(finish_permits),
    });
    let work_notify = Arc::new(Notify::new());
    let (stop, stopped) = oneshot::channel::<()>();
    let (run_worker, run_notify) = (Arc::clone(&worker), Arc::clone(&work_notify));
    let dispatcher = tokio::spawn(async move {
        run(run_worker, &run_notify, "local".to_owned(), async { drop(stopped.await) }).await;
    });
    Harness { worker, batches, work_notify, stop, dispatcher }
}

impl Harness {
    async fn next_batch(&mut self) -> Vec<WorkItemKey> {
        self.batches.recv().await.unwrap()
    }

    async fn stop(mut self) -> Vec<Vec<WorkItemKey>> {
        let _ = self.stop.send(());
        self.dispatcher.await.unwrap();
        let mut rest = Vec::new();
        while let Ok(batch) = self.batches.try_recv() {
            rest.push(batch);
        }
        rest
    }
}

fn new_job() -> JobId {
    JobId(Stamp::now())
}

fn work_items(job: JobId, count: u16) -> Vec<WorkItemKey> {
    (0..count).map(|number| WorkItemKey { job, number }).collect()
}

fn with_behaviour(work_items: &[WorkItemKey], behaviour: Behaviour) -> Vec<(WorkItemKey, Behaviour)> {
    work_items.iter().map(|work_item| (*work_item, behaviour)).collect()
}

#[test]
fn batch_is_limited_in_total_and_per_job() {
    let large = work_items(new_job(), 50);
    let small: Vec<_> = (0..30).flat_map(|_| work_items(new_job(), 1)).collect();
    let mut backlog = [large.clone(), small.clone()].concat();
    assert_eq!(take_batch(&mut backlog), [&large[..2], &small[..18]].concat());
    assert_eq!(take_batch(&mut backlog), [&large[2..4], &small[18..]].concat());
    assert_eq!(take_batch(&mut backlog), &large[4..6]);
    assert_eq!(backlog, &large[6..]);
}

#[tokio::test(start_paused = true)]
async fn every_open_work_item_is_dispatched_once() {
    let open = work_items(new_job(), 50);
    let mut harness = start(&with_behaviour(&open, Behaviour::Succeeds), 1000);
    let mut dispatched = Vec::new();
    while dispatched.len() < open.len() {
        dispatched.extend(harness.next_batch().await);
    }
    dispatched.extend(harness.stop().await.concat());
    dispatched.sort_unstable();
    assert_eq!(dispatched, open);
}

#[tokio::test(start_paused = true)]
async fn concurrent_batches_are_limited_and_disjoint() {
    let mut harness = start(&with_behaviour(&work_items(new_job(), 50), Behaviour::Succeeds), 0);
    let mut dispatched = HashSet::new();
    for _ in 0..MAX_CONCURRENT_BATCHES {
        assert!(harness.next_batch().await.into_iter().all(|work_item| dispatched.insert(work_item)));
    }
    harness.work_notify.notify_one();
    let fifth = timeout(Duration::from_millis(50), harness.next_batch()).await;
    assert!(fifth.is_err());
    harness.worker.finish_permits.add_permits(1000);
    while dispatched.len() < 50 {
        assert!(harness.next_batch().await.into_iter().all(|work_item| dispatched.insert(work_item)));
    }
}

#[tokio::test(start_paused = true)]
async fn failed_work_item_backs_off_without_blocking_others() {
    let (bad, good) = (work_items(new_job(), 1), work_items(new_job(), 3));
    let open = [with_behaviour(&bad, Behaviour::Fails), with_behaviour(&good, Behaviour::Succeeds)].concat();
    let started = Instant::now();
    let mut harness = start(&open, 1000);
    let mut dispatched = Vec::new();
    while !harness.worker.open.lock().unwrap().keys().eq(&bad) {
        dispatched.extend(harness.next_batch().await);
    }
    assert!(started.elapsed() < INITIAL_BACKOFF, "the other work items did not wait");
    while dispatched.iter().filter(|work_item| bad.contains(work_item)).count() < 2 {
        dispatched.extend(harness.next_batch().await);
    }
    assert!(started.elapsed() >= INITIAL_BACKOFF, "the failed work item backed off");
}

#[tokio::test(start_paused = true)]
async fn panic_fails_only_its_own_batch() {
    let bad = work_items(new_job(), 1);
    let mut harness = start(&with_behaviour(&bad, Behaviour::Panics), 1000);
    assert_eq!(harness.next_batch().await, bad);
    let good = work_items(new_job(), 1);
    harness.worker.open.lock().unwrap().insert(good[0], Behaviour::Succeeds);
    harness.work_notify.notify_one();
    assert_eq!(harness.next_batch().await, good);
}

#[tokio::test(start_paused = true)]
async fn notification_triggers_poll_for_new_work() {
    let mut harness = start(&[], 1000);
    harness.worker.polls.acquire().await.unwrap().forget();
    let new = work_items(new_job(), 1);
    harness.worker.open.lock().unwrap().insert(new[0], Behaviour::Succeeds);
    let notified = Instant::now();
    harness.work_notify.notify_one();
    assert_eq!(harness.next_batch().await, new);
    assert!(notified.elapsed() < POLL_INTERVAL / 2);
}

#[tokio::test(start_paused = true)]
async fn stop_finishes_running_batches_and_starts_none() {
    let open = work_items(new_job(), 50);
    let mut harness = start(&with_behaviour(&open, Behaviour::Succeeds), 0);
    for _ in 0..MAX_CONCURRENT_BATCHES {
        harness.next_batch().await;
    }
    let worker = Arc::clone(&harness.worker);
    let stopping = tokio::spawn(harness.stop());
    tokio::task::yield_now().await;
    worker.finish_permits.add_permits(1000);
    assert_eq!(stopping.await.unwrap().concat(), []);
    let left = worker.open.lock().unwrap().len();
    assert_eq!(left, open.len() - MAX_CONCURRENT_BATCHES * MAX_BATCH_RECORDS_PER_JOB);
}
