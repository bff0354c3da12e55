//! One thread that owns a resource whose calls block, fed by three bounded lanes.
//!
//! The embedded database does one thing at a time and blocks the thread that asks. So it has a thread of its own,
//! and who may go next is decided here instead of by a mutex's luck: requests before background work, but while
//! requests come, background work has one call in every [`MIN_WORKER_PAUSE`], or a quarter of the time where calls are slow, so that
//! neither starves. Among requests, tenants take turns ([`fair_queue`](super::flows)). Cleanup goes last: when nothing else waits
//! and requests are quiet, or when it has waited for [`CLEANUP_TIMEOUT`]. It paces itself.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{io, thread};

use imageshare::domain::TenantId;
use tokio::sync::{Semaphore, oneshot, watch};

use super::fair_queue::FairQueue;

/// How long background work rests after each call while requests come, at least.
const MIN_WORKER_PAUSE: Duration = Duration::from_millis(1);

/// How long it rests, in times of what its call took: on a slow disk requests have three quarters of the time.
const WORKER_PAUSE_FACTOR: u32 = 3;

/// Requests have stopped coming when none has ended for so long.
const QUIET_PERIOD: Duration = Duration::from_millis(1);

/// A cleanup call that has waited for so long goes next.
const CLEANUP_TIMEOUT: Duration = Duration::from_millis(100);

/// Without a request or background work for so long, the resource is idle.
const IDLE_PERIOD: Duration = Duration::from_millis(500);

/// Calls that may wait in one line; a further caller waits for room. There is no limit for a whole lane: tenants that
/// reached it would keep out the others.
const QUEUE_CAPACITY: usize = 256;

/// The lines of tenants that are kept before those that are not in use are looked for.
const MIN_TENANT_QUEUES: usize = 64;

/// Whose call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Somebody waits for the answer.
    Request,
    /// Background work.
    Worker,
    /// Removal of old data. No caller waits for it.
    Cleanup,
}

/// Why a call was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It was not taken: the thread takes no more calls.
    #[error("the embedded table is closed")]
    Closed,
    /// It panicked.
    #[error("a call to the embedded table panicked")]
    Panicked,
}

type Call<R> = Box<dyn FnOnce(&R) + Send>;

/// The tenant on whose behalf a call is made. Calls on behalf of no tenant in particular share a flow.
type FlowKey = Option<Arc<TenantId>>;

/// Where calls wait: a lane, and in that of requests the flow of one tenant. Cheap to clone.
#[derive(Clone)]
pub struct QueueHandle {
    lane: Lane,
    flow: FlowKey,
    permits: Arc<Semaphore>,
}

impl QueueHandle {
    fn new(lane: Lane, flow: FlowKey) -> Self {
        Self { lane, flow, permits: Arc::new(Semaphore::new(QUEUE_CAPACITY)) }
    }

    /// Its lane.
    pub fn lane(&self) -> Lane {
        self.lane
    }
}

/// The way to the thread that owns an `R`. The thread ends when this is dropped or [`is_closed`](Self::close), after
/// the calls that already wait.
pub struct CallScheduler<R> {
    queue: Arc<SharedQueue<R>>,
    requests: QueueHandle,
    worker: QueueHandle,
    cleanup: QueueHandle,
    tenant_queues: Mutex<TenantQueues>,
    thread_ended: watch::Receiver<()>,
}

impl<R: Send + 'static> CallScheduler<R> {
    /// Moves the resource onto a thread of that name.
    pub fn new(name: &str, resource: R) -> io::Result<Self> {
        let queue = Arc::new(SharedQueue::default());
        let (ending, ended) = watch::channel(());
        let served = Arc::clone(&queue);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            run_calls(&served, resource);
            drop(ending);
        })?;
        Ok(Self {
            queue,
            requests: QueueHandle::new(Lane::Request, None),
            worker: QueueHandle::new(Lane::Worker, None),
            cleanup: QueueHandle::new(Lane::Cleanup, None),
            tenant_queues: Mutex::default(),
            thread_ended: ended,
        })
    }

    /// Returns the line of a lane for calls on behalf of no tenant in particular.
    pub fn lane_queue(&self, lane: Lane) -> QueueHandle {
        match lane {
            Lane::Request => self.requests.clone(),
            Lane::Worker => self.worker.clone(),
            Lane::Cleanup => self.cleanup.clone(),
        }
    }

    /// Returns the line of requests on behalf of that tenant.
    pub fn tenant_queue(&self, tenant: &TenantId) -> QueueHandle {
        // Nothing panics while the lock is held.
        self.tenant_queues.lock().unwrap_or_else(PoisonError::into_inner).get_or_create(tenant)
    }

    /// Runs a call on the resource when its turn comes. Once in a line a call is carried out, even if the caller
    /// stops waiting for it.
    pub async fn run<T: Send + 'static>(
        &self,
        line: &QueueHandle,
        call: impl FnOnce(&R) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let place = Arc::clone(&line.permits).acquire_owned().await.map_err(|_| CallError::Closed)?;
        let (answer, answered) = oneshot::channel();
        self.queue.push(
            line,
            Box::new(move |resource| {
                let result = call(resource);
                drop(place);
                // The caller may have stopped waiting.
                let _ = answer.send(result);
            }),
        )?;
        answered.await.map_err(|_| CallError::Panicked)
    }

    /// Whether there was neither a request nor background work for a while.
    pub fn is_idle(&self) -> bool {
        self.queue.lock().queues.is_idle(Instant::now())
    }

    /// How many calls of requests wait for their turn.
    #[cfg(test)]
    pub fn waiting_request_count(&self) -> usize {
        self.queue.lock().queues.requests.len()
    }

    /// How many lines of tenants are kept.
    #[cfg(test)]
    pub fn tenant_queue_count(&self) -> usize {
        self.tenant_queues.lock().unwrap_or_else(PoisonError::into_inner).permits.len()
    }

    /// Takes no more calls, finishes those that wait, and returns when the resource has been dropped.
    pub async fn close(&self) {
        self.queue.close();
        // The sender is dropped when the thread ends, and nothing is ever sent.
        let _ = self.thread_ended.clone().changed().await;
    }
}

impl<R> Drop for CallScheduler<R> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The lines of tenants that have requests.
#[derive(Default)]
struct TenantQueues {
    /// The room of each line, as long as a request or a call has it.
    permits: HashMap<Arc<TenantId>, Weak<Semaphore>>,
    /// How many rooms there may be before those that are not in use are removed.
    prune_threshold: usize,
}

impl TenantQueues {
    fn get_or_create(&mut self, tenant: &TenantId) -> QueueHandle {
        if let Some((name, room)) = self.permits.get_key_value(tenant)
            && let Some(room) = room.upgrade()
        {
            return QueueHandle { lane: Lane::Request, flow: Some(Arc::clone(name)), permits: room };
        }
        if self.permits.len() >= self.prune_threshold {
            self.permits.retain(|_, room| room.strong_count() > 0);
            self.prune_threshold = MIN_TENANT_QUEUES.max(2 * self.permits.len());
        }
        let name = Arc::new(tenant.clone());
        let line = QueueHandle::new(Lane::Request, Some(Arc::clone(&name)));
        self.permits.insert(name, Arc::downgrade(&line.permits));
        line
    }
}

/// Runs the calls in turn until the queue is closed and empty, then drops the resource.
fn run_calls<R>(queue: &SharedQueue<R>, resource: R) {
    while let Some((lane, call)) = queue.wait_for_call() {
        let begun = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| call(&resource))).is_err() {
            tracing::error!("a call to the embedded table panicked; its caller gets an error");
        }
        let now = Instant::now();
        queue.lock().queues.record_completion(lane, now - begun, now);
    }
    drop(resource);
}

/// The calls that wait, and whether more may come.
struct SharedQueue<R> {
    state: Mutex<QueueState<Call<R>>>,
    changed: Condvar,
}

struct QueueState<T> {
    queues: LaneQueues<T>,
    is_closed: bool,
}

impl<R> Default for SharedQueue<R> {
    fn default() -> Self {
        Self {
            state: Mutex::new(QueueState { queues: LaneQueues::default(), is_closed: false }),
            changed: Condvar::new(),
        }
    }
}

impl<R> SharedQueue<R> {
    fn push(&self, line: &QueueHandle, call: Call<R>) -> Result<(), CallError> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(CallError::Closed);
        }
        waiting.queues.push(line.lane, &line.flow, call, Instant::now());
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// The call whose turn it is; `None` once the queue is closed and empty.
    fn wait_for_call(&self) -> Option<(Lane, Call<R>)> {
        let mut waiting = self.lock();
        loop {
            let now = Instant::now();
            let turn = if waiting.is_closed { waiting.queues.drain() } else { waiting.queues.next(now) };
            waiting = match turn {
                NextCall::Ready(lane, call) => return Some((lane, call)),
                NextCall::Empty if waiting.is_closed => return None,
                NextCall::Empty => self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                NextCall::NotBefore(then) => {
                    let rest = then.saturating_duration_since(now);
                    self.changed.wait_timeout(waiting, rest).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<Call<R>>> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose turn it is. Told the time, so that it can be tested without a clock.
struct LaneQueues<T> {
    requests: FairQueue<FlowKey, T>,
    worker: VecDeque<T>,
    /// Each with the moment from which it has waited.
    cleanup: VecDeque<(Instant, T)>,
    /// When the last request ended.
    last_request: Option<Instant>,
    /// When the last call of background work ended.
    last_worker_call: Option<Instant>,
    /// Until when background work rests while requests come.
    worker_paused_until: Option<Instant>,
}

enum NextCall<T> {
    Ready(Lane, T),
    /// Background work rests until then.
    NotBefore(Instant),
    Empty,
}

impl<T> Default for LaneQueues<T> {
    fn default() -> Self {
        let (worker, cleanup) = (VecDeque::new(), VecDeque::new());
        Self {
            requests: FairQueue::default(),
            worker,
            cleanup,
            last_request: None,
            last_worker_call: None,
            worker_paused_until: None,
        }
    }
}

impl<T> LaneQueues<T> {
    fn push(&mut self, lane: Lane, flow: &FlowKey, call: T, now: Instant) {
        match lane {
            Lane::Request => self.requests.push(flow.clone(), call),
            Lane::Worker => self.worker.push_back(call),
            Lane::Cleanup => self.cleanup.push_back((now, call)),
        }
    }

    fn next(&mut self, now: Instant) -> NextCall<T> {
        let Some(due) = self.cleanup.front().map(|(since, _)| *since + CLEANUP_TIMEOUT) else {
            return self.next_request_or_worker(now);
        };
        if due <= now {
            return self.next_cleanup();
        }
        match self.next_request_or_worker(now) {
            NextCall::Empty => match self.last_request.map(|ended| ended + QUIET_PERIOD) {
                Some(quiet_from) if quiet_from > now => NextCall::NotBefore(quiet_from.min(due)),
                _ => self.next_cleanup(),
            },
            NextCall::NotBefore(then) => NextCall::NotBefore(then.min(due)),
            turn @ NextCall::Ready(..) => turn,
        }
    }

    /// The next call that is no cleanup.
    fn next_request_or_worker(&mut self, now: Instant) -> NextCall<T> {
        let quiet_from = self.last_request.map(|ended| ended + QUIET_PERIOD);
        let quiet = self.requests.is_empty() && quiet_from.is_none_or(|from| from <= now);
        let rested = self.worker_paused_until.is_none_or(|until| until <= now);
        if quiet || rested {
            self.next_unpaced()
        } else if let Some(call) = self.requests.pop() {
            NextCall::Ready(Lane::Request, call)
        } else if self.worker.is_empty() {
            NextCall::Empty
        } else {
            NextCall::NotBefore(self.worker_paused_until.into_iter().chain(quiet_from).min().unwrap_or(now))
        }
    }

    /// Background work first, without any rest.
    fn next_unpaced(&mut self) -> NextCall<T> {
        let worker = self.worker.pop_front().map(|call| (Lane::Worker, call));
        let next = worker.or_else(|| self.requests.pop().map(|call| (Lane::Request, call)));
        next.map_or(NextCall::Empty, |(lane, call)| NextCall::Ready(lane, call))
    }

    fn next_cleanup(&mut self) -> NextCall<T> {
        self.cleanup.pop_front().map_or(NextCall::Empty, |(_, call)| NextCall::Ready(Lane::Cleanup, call))
    }

    /// The next call that waits, without any rest.
    fn drain(&mut self) -> NextCall<T> {
        match self.next_unpaced() {
            NextCall::Empty => self.next_cleanup(),
            turn => turn,
        }
    }

    fn record_completion(&mut self, lane: Lane, took: Duration, now: Instant) {
        match lane {
            Lane::Request => {
                self.requests.charge(took);
                self.last_request = Some(now);
            }
            Lane::Worker => {
                (self.last_worker_call, self.worker_paused_until) =
                    (Some(now), Some(now + MIN_WORKER_PAUSE.max(took * WORKER_PAUSE_FACTOR)));
            }
            Lane::Cleanup => {}
        }
    }

    fn is_idle(&self, now: Instant) -> bool {
        let last = self.last_request.max(self.last_worker_call);
        let is_long_ago = last.is_none_or(|ended| ended + IDLE_PERIOD <= now);
        is_long_ago && self.requests.is_empty() && self.worker.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the turns, each of which takes `tenths` of a millisecond, and lists whose they were; `.` is a rest.
    fn run_order(turns: &mut LaneQueues<&'static str>, tenths: u32) -> String {
        run_order_from(Instant::now(), turns, tenths)
    }

    fn run_order_from(mut now: Instant, turns: &mut LaneQueues<&'static str>, tenths: u32) -> String {
        let mut order = String::new();
        loop {
            match turns.next(now) {
                NextCall::Ready(lane, name) => {
                    let took = tenths * MIN_WORKER_PAUSE / 10;
                    now += took;
                    turns.record_completion(lane, took, now);
                    order.push_str(name);
                }
                NextCall::NotBefore(then) => {
                    assert!(then > now);
                    now = then;
                    order.push('.');
                }
                NextCall::Empty => return order,
            }
        }
    }

    fn queues_with(requests: usize, worker: usize) -> LaneQueues<&'static str> {
        let mut turns = LaneQueues::default();
        let now = Instant::now();
        (0..requests).for_each(|_| turns.push(Lane::Request, &None, "r", now));
        (0..worker).for_each(|_| turns.push(Lane::Worker, &None, "w", now));
        turns
    }

    /// As [`run_order`], with a cleanup call that begins to wait when the others do.
    fn run_order_with_cleanup(requests: usize, worker: usize, tenths: u32) -> String {
        let (mut turns, now) = (queues_with(requests, worker), Instant::now());
        turns.push(Lane::Cleanup, &None, "c", now);
        run_order_from(now, &mut turns, tenths)
    }

    #[test]
    fn worker_gets_one_call_per_millisecond_under_load() {
        assert_eq!(run_order(&mut queues_with(12, 3), 2), "wrrrrrwrrrrrwrr");
    }

    #[test]
    fn worker_runs_without_pause_when_requests_are_quiet() {
        assert_eq!(run_order(&mut queues_with(0, 3), 2), "www");
        assert_eq!(run_order(&mut queues_with(1, 3), 2), "wr.ww");
    }

    #[test]
    fn slow_worker_calls_leave_three_quarters_to_requests() {
        assert_eq!(run_order(&mut queues_with(10, 2), 5), "wrrrwrrrrrrr");
        assert_eq!(run_order(&mut queues_with(10, 3), 100), "wrrrwrrrwrrrr");
    }

    #[test]
    fn requests_without_background_work_never_wait() {
        assert_eq!(run_order(&mut queues_with(20, 0), 1), "r".repeat(20));
    }

    #[test]
    fn cleanup_waits_for_requests_and_background_work() {
        assert_eq!(run_order_with_cleanup(0, 0, 2), "c");
        assert_eq!(run_order_with_cleanup(2, 2, 2), "wrr.w.c");
    }

    #[test]
    fn scheduler_is_idle_without_requests_and_worker_calls() {
        let now = Instant::now();
        let mut turns = LaneQueues::default();
        assert!(turns.is_idle(now));
        turns.record_completion(Lane::Cleanup, MIN_WORKER_PAUSE, now);
        assert!(turns.is_idle(now));
        for lane in [Lane::Request, Lane::Worker] {
            turns.record_completion(lane, MIN_WORKER_PAUSE, now);
            assert!(!turns.is_idle(now + IDLE_PERIOD / 2) && turns.is_idle(now + IDLE_PERIOD));
            turns.push(lane, &None, "waits", now);
            assert!(!turns.is_idle(now + IDLE_PERIOD));
            turns.drain();
        }
    }

    #[test]
    fn cleanup_runs_next_after_its_timeout() {
        let quarter = 10 * u32::try_from((CLEANUP_TIMEOUT / 4).as_millis()).unwrap();
        assert_eq!(run_order_with_cleanup(8, 0, quarter), "rrrrcrrrr");
        assert_eq!(run_order_with_cleanup(0, 8, quarter), "wwwwcwwww");
    }

    #[tokio::test]
    async fn panicking_call_fails_and_next_call_succeeds() {
        let lanes = CallScheduler::new("test", 7).unwrap();
        let panicking = lanes.run(&lanes.requests, |_: &i32| -> i32 { panic!("on purpose") });
        assert_eq!(panicking.await, Err(CallError::Panicked));
        assert_eq!(lanes.run(&lanes.worker, |seven| *seven).await, Ok(7));
    }

    #[tokio::test]
    async fn close_finishes_queued_calls_and_rejects_new_ones() {
        let lanes = Arc::new(CallScheduler::new("test", ()).unwrap());
        let (open, gate) = std::sync::mpsc::channel();
        let first = lanes.run(&lanes.requests, move |()| gate.recv().is_ok());
        let second = lanes.run(&lanes.worker, |()| "done");
        let closing = async {
            lanes.queue.close();
            open.send(()).unwrap();
            lanes.close().await;
        };
        let (first, second, ()) = tokio::join!(first, second, closing);
        assert_eq!((first, second), (Ok(true), Ok("done")));
        assert_eq!(lanes.run(&lanes.requests, |()| ()).await, Err(CallError::Closed));
    }
}
