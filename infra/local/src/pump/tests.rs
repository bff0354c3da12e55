use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use imageshare::domain::{JobId, Stamp};
use serde_json::json;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::*;

/// A table with open pieces, and a worker that finishes them.
struct Fake {
    open: Mutex<BTreeMap<PieceKey, Behaviour>>,
    /// A permit for every look.
    looks: Semaphore,
    /// Every batch as it is handed over.
    seen: mpsc::UnboundedSender<Vec<PieceKey>>,
    /// Permits to finish a batch.
    may_end: Semaphore,
}

#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    Succeeds,
    Fails,
    Panics,
}

impl Work for Fake {
    async fn open_pieces(&self) -> Result<Vec<PieceKey>, StoreError> {
        let found = self.open.lock().unwrap().keys().copied().collect();
        self.looks.add_permits(1);
        Ok(found)
    }

    async fn handle(&self, event: Value) -> Result<Value, String> {
        let records = event["Records"].as_array().unwrap();
        let key =
            |record: &Value, name: &str| record["dynamodb"]["Keys"][name]["S"].as_str().unwrap().to_owned();
        let pieces: Vec<_> = records
            .iter()
            .map(|record| PieceKey::parse(&key(record, "pk"), &key(record, "sk")).unwrap())
            .collect();
        self.seen.send(pieces.clone()).unwrap();
        self.may_end.acquire().await.unwrap().forget();
        for (piece, record) in pieces.iter().zip(records) {
            let behaviour = self.open.lock().unwrap().get(piece).copied();
            match behaviour {
                Some(Behaviour::Fails) => {
                    let failed = &record["dynamodb"]["SequenceNumber"];
                    return Ok(json!({ "batchItemFailures": [{ "itemIdentifier": failed }] }));
                }
                Some(Behaviour::Panics) => panic!("on purpose"),
                _ => drop(self.open.lock().unwrap().remove(piece)),
            }
        }
        Ok(json!({ "batchItemFailures": [] }))
    }
}

struct World {
    fake: Arc<Fake>,
    seen: mpsc::UnboundedReceiver<Vec<PieceKey>>,
    changed: Arc<Notify>,
    stop: oneshot::Sender<()>,
    pump: tokio::task::JoinHandle<()>,
}

fn world(open: &[(PieceKey, Behaviour)], batches_that_may_end: usize) -> World {
    let (sender, seen) = mpsc::unbounded_channel();
    let open = Mutex::new(open.iter().copied().collect());
    let fake = Arc::new(Fake {
        open,
        looks: Semaphore::new(0),
        seen: sender,
        may_end: Semaphore::new(batches_that_may_end),
    });
    let changed = Arc::new(Notify::new());
    let (stop, stopped) = oneshot::channel::<()>();
    let (work, wake) = (Arc::clone(&fake), Arc::clone(&changed));
    let pump =
        tokio::spawn(
            async move { run(work, &wake, "local".to_owned(), async { drop(stopped.await) }).await },
        );
    World { fake, seen, changed, stop, pump }
}

impl World {
    async fn batch(&mut self) -> Vec<PieceKey> {
        self.seen.recv().await.unwrap()
    }

    async fn stop(mut self) -> Vec<Vec<PieceKey>> {
        let _ = self.stop.send(());
        self.pump.await.unwrap();
        let mut rest = Vec::new();
        while let Ok(batch) = self.seen.try_recv() {
            rest.push(batch);
        }
        rest
    }
}

fn job() -> JobId {
    JobId(Stamp::now())
}

fn pieces(job: JobId, count: u16) -> Vec<PieceKey> {
    (0..count).map(|number| PieceKey { job, number }).collect()
}

fn all(pieces: &[PieceKey], behaviour: Behaviour) -> Vec<(PieceKey, Behaviour)> {
    pieces.iter().map(|piece| (*piece, behaviour)).collect()
}

#[test]
fn a_batch_takes_twenty_records_and_two_of_a_job() {
    let large = pieces(job(), 50);
    let small: Vec<_> = (0..30).flat_map(|_| pieces(job(), 1)).collect();
    let mut backlog = [large.clone(), small.clone()].concat();
    assert_eq!(take_batch(&mut backlog), [&large[..2], &small[..18]].concat());
    assert_eq!(take_batch(&mut backlog), [&large[2..4], &small[18..]].concat());
    assert_eq!(take_batch(&mut backlog), &large[4..6]);
    assert_eq!(backlog, &large[6..]);
}

#[tokio::test(start_paused = true)]
async fn every_open_piece_is_handed_over_once() {
    let open = pieces(job(), 50);
    let mut world = world(&all(&open, Behaviour::Succeeds), 1000);
    let mut seen = Vec::new();
    while seen.len() < open.len() {
        seen.extend(world.batch().await);
    }
    seen.extend(world.stop().await.concat());
    seen.sort_unstable();
    assert_eq!(seen, open);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_four_batches_run_and_no_piece_is_in_two() {
    let mut world = world(&all(&pieces(job(), 50), Behaviour::Succeeds), 0);
    let mut seen = HashSet::new();
    for _ in 0..MOST_BATCHES {
        assert!(world.batch().await.into_iter().all(|piece| seen.insert(piece)));
    }
    world.changed.notify_one();
    let fifth = timeout(Duration::from_millis(50), world.batch()).await;
    assert!(fifth.is_err());
    world.fake.may_end.add_permits(1000);
    while seen.len() < 50 {
        assert!(world.batch().await.into_iter().all(|piece| seen.insert(piece)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_rests_and_holds_up_nobody() {
    let (bad, good) = (pieces(job(), 1), pieces(job(), 3));
    let open = [all(&bad, Behaviour::Fails), all(&good, Behaviour::Succeeds)].concat();
    let started = Instant::now();
    let mut world = world(&open, 1000);
    let mut seen = Vec::new();
    while !world.fake.open.lock().unwrap().keys().eq(&bad) {
        seen.extend(world.batch().await);
    }
    assert!(started.elapsed() < FIRST_REST, "the others did not wait");
    while seen.iter().filter(|piece| bad.contains(piece)).count() < 2 {
        seen.extend(world.batch().await);
    }
    assert!(started.elapsed() >= FIRST_REST, "the failed piece was left alone for a while");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_failure_of_its_batch_alone() {
    let bad = pieces(job(), 1);
    let mut world = world(&all(&bad, Behaviour::Panics), 1000);
    assert_eq!(world.batch().await, bad);
    let good = pieces(job(), 1);
    world.fake.open.lock().unwrap().insert(good[0], Behaviour::Succeeds);
    world.changed.notify_one();
    assert_eq!(world.batch().await, good);
}

#[tokio::test(start_paused = true)]
async fn new_work_is_found_when_a_change_is_told() {
    let mut world = world(&[], 1000);
    world.fake.looks.acquire().await.unwrap().forget();
    let new = pieces(job(), 1);
    world.fake.open.lock().unwrap().insert(new[0], Behaviour::Succeeds);
    let told = Instant::now();
    world.changed.notify_one();
    assert_eq!(world.batch().await, new);
    assert!(told.elapsed() < IDLE / 2);
}

#[tokio::test(start_paused = true)]
async fn stopping_lets_the_running_batch_end_and_starts_no_other() {
    let open = pieces(job(), 50);
    let mut world = world(&all(&open, Behaviour::Succeeds), 0);
    for _ in 0..MOST_BATCHES {
        world.batch().await;
    }
    let fake = Arc::clone(&world.fake);
    let stopping = tokio::spawn(world.stop());
    tokio::task::yield_now().await;
    fake.may_end.add_permits(1000);
    assert_eq!(stopping.await.unwrap().concat(), []);
    let left = fake.open.lock().unwrap().len();
    assert_eq!(left, open.len() - MOST_BATCHES * MOST_RECORDS_OF_A_JOB);
}
