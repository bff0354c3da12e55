//! Schedules blocking calls on one thread, which owns the resource, from three lanes of bounded queues.
//!
//! The embedded database executes one call at a time and blocks the calling thread. So it has a thread of its own, and
//! the order of calls is decided here rather than by a mutex:
//!
//! * Requests come before background work. While requests come, background work still gets one call in every
//!   [`MIN_WORKER_PAUSE`], or a quarter of the time if its calls are slow, so that neither starves.
//! * Among requests, tenants take turns ([`fair_queue`](super::fair_queue)).
//! * Cleanup comes last: when nothing else waits and requests have stopped, or when it has waited for
//!   [`CLEANUP_TIMEOUT`]. It pauses between its own calls.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{io, thread};

use imageshare::domain::TenantId;
use tokio::sync::{Semaphore, oneshot, watch};

use super::fair_queue::FairQueue;

/// The minimum pause of background work after each call, while requests come.
const MIN_WORKER_PAUSE: Duration = Duration::from_millis(1);

/// The pause as a multiple of the call's duration: on a slow disk, requests get three quarters of the time.
const WORKER_PAUSE_FACTOR: u32 = 3;

/// Requests have stopped when none has ended for this long.
const QUIET_PERIOD: Duration = Duration::from_millis(1);

/// A cleanup call that has waited for this long is next.
const CLEANUP_TIMEOUT: Duration = Duration::from_millis(100);

/// The resource is idle after this long without a request or background work.
const IDLE_PERIOD: Duration = Duration::from_millis(500);

/// Calls that may wait in one queue; further callers wait for a permit. There is no limit for a whole lane, since one
/// tenant could then block the others.
const QUEUE_CAPACITY: usize = 256;

/// Up to this number of tenant queues, unused ones are kept.
const MIN_TENANT_QUEUES: usize = 64;

/// The kind of a call, which decides its priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A request: a client waits for its response.
    Request,
    /// Background work.
    Worker,
    /// Deletion of expired items.
    Cleanup,
}

/// Why a call has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The scheduler is closed, and did not accept the call.
    #[error("the embedded table is closed")]
    Closed,
    /// The call panicked.
    #[error("a call to the embedded table panicked")]
    Panicked,
}

type Call<R> = Box<dyn FnOnce(&R) + Send>;

/// The tenant for which a call is made. Calls for no tenant share a flow.
type FlowKey = Option<Arc<TenantId>>;

/// A queue in which calls wait: a lane and, for requests, the flow of a tenant. Cheap to clone.
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

    /// The lane of the queue.
    pub fn lane(&self) -> Lane {
        self.lane
    }
}

/// Schedules calls on the thread that owns an `R`. The thread ends when this is dropped or [closed](Self::close), after
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
    /// Starts a thread of that name, which owns the resource.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn new(name: &str, resource: R) -> io::Result<Self> {
        let queue = Arc::new(SharedQueue::default());
        let (end_signal, thread_ended) = watch::channel(());
        let served = Arc::clone(&queue);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            run_calls(&served, resource);
            drop(end_signal);
        })?;
        Ok(Self {
            queue,
            requests: QueueHandle::new(Lane::Request, None),
            worker: QueueHandle::new(Lane::Worker, None),
            cleanup: QueueHandle::new(Lane::Cleanup, None),
            tenant_queues: Mutex::default(),
            thread_ended,
        })
    }

    /// Returns the queue of a lane for calls that are for no tenant.
    pub fn lane_queue(&self, lane: Lane) -> QueueHandle {
        match lane {
            Lane::Request => self.requests.clone(),
            Lane::Worker => self.worker.clone(),
            Lane::Cleanup => self.cleanup.clone(),
        }
    }

    /// Returns the queue of a tenant's requests.
    pub fn tenant_queue(&self, tenant: &TenantId) -> QueueHandle {
        // Nothing panics while the lock is held.
        self.tenant_queues.lock().unwrap_or_else(PoisonError::into_inner).get_or_create(tenant)
    }

    /// Runs a call on the resource when its turn comes. A queued call is executed even if the caller stops waiting.
    ///
    /// # Errors
    /// [`CallError`] if the scheduler is closed or the call panics.
    pub async fn run<T: Send + 'static>(
        &self,
        queue: &QueueHandle,
        call: impl FnOnce(&R) -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let permit = Arc::clone(&queue.permits).acquire_owned().await.map_err(|_| CallError::Closed)?;
        let (sender, receiver) = oneshot::channel();
        self.queue.push(
            queue,
            Box::new(move |resource| {
                let result = call(resource);
                drop(permit);
                // The caller may have stopped waiting.
                let _ = sender.send(result);
            }),
        )?;
        receiver.await.map_err(|_| CallError::Panicked)
    }

    /// Whether there was neither a request nor background work for [`IDLE_PERIOD`].
    pub fn is_idle(&self) -> bool {
        self.queue.lock().queues.is_idle(Instant::now())
    }

    /// The number of waiting requests.
    #[cfg(test)]
    pub(super) fn waiting_request_count(&self) -> usize {
        self.queue.lock().queues.requests.len()
    }

    /// The number of tenant queues.
    #[cfg(test)]
    pub(super) fn tenant_queue_count(&self) -> usize {
        self.tenant_queues.lock().unwrap_or_else(PoisonError::into_inner).permits.len()
    }

    /// Accepts no more calls, executes those that wait, and returns when the resource is dropped.
    pub async fn close(&self) {
        self.queue.close();
        // The sender never sends; it is dropped when the thread ends.
        let _ = self.thread_ended.clone().changed().await;
    }
}

impl<R> Drop for CallScheduler<R> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The queues of tenants that have requests.
#[derive(Default)]
struct TenantQueues {
    /// The permits of each queue, which live as long as a handle or a call has them.
    permits: HashMap<Arc<TenantId>, Weak<Semaphore>>,
    /// The number of queues at which unused ones are removed. Doubles with the queues in use, so that removal is cheap.
    prune_threshold: usize,
}

impl TenantQueues {
    fn get_or_create(&mut self, tenant: &TenantId) -> QueueHandle {
        if let Some((name, permits)) = self.permits.get_key_value(tenant)
            && let Some(permits) = permits.upgrade()
        {
            return QueueHandle { lane: Lane::Request, flow: Some(Arc::clone(name)), permits };
        }
        if self.permits.len() >= self.prune_threshold {
            self.permits.retain(|_, permits| permits.strong_count() > 0);
            self.prune_threshold = MIN_TENANT_QUEUES.max(2 * self.permits.len());
        }
        let name = Arc::new(tenant.clone());
        let queue = QueueHandle::new(Lane::Request, Some(Arc::clone(&name)));
        self.permits.insert(name, Arc::downgrade(&queue.permits));
        queue
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

/// The waiting calls, shared by callers and the thread.
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
    fn push(&self, queue: &QueueHandle, call: Call<R>) -> Result<(), CallError> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(CallError::Closed);
        }
        state.queues.push(queue.lane, &queue.flow, call, Instant::now());
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for the next call; `None` once the queue is closed and empty.
    fn wait_for_call(&self) -> Option<(Lane, Call<R>)> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let next = if state.is_closed { state.queues.drain() } else { state.queues.next(now) };
            state = match next {
                NextCall::Ready(lane, call) => return Some((lane, call)),
                NextCall::Empty if state.is_closed => return None,
                NextCall::Empty => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                NextCall::NotBefore(then) => {
                    let pause = then.saturating_duration_since(now);
                    self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0
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

/// Decides which call is next. The time is a parameter, so that tests need no clock.
struct LaneQueues<T> {
    requests: FairQueue<FlowKey, T>,
    worker: VecDeque<T>,
    /// Each with the time at which it was queued.
    cleanup: VecDeque<(Instant, T)>,
    /// When the last request ended.
    last_request: Option<Instant>,
    /// When the last call of background work ended.
    last_worker_call: Option<Instant>,
    /// Until when background work pauses while requests come.
    worker_paused_until: Option<Instant>,
}

enum NextCall<T> {
    Ready(Lane, T),
    /// No call may run before that time.
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
            call @ NextCall::Ready(..) => call,
        }
    }

    /// The next request or call of background work.
    fn next_request_or_worker(&mut self, now: Instant) -> NextCall<T> {
        let quiet_from = self.last_request.map(|ended| ended + QUIET_PERIOD);
        let is_quiet = self.requests.is_empty() && quiet_from.is_none_or(|from| from <= now);
        let has_paused = self.worker_paused_until.is_none_or(|until| until <= now);
        if is_quiet || has_paused {
            self.next_unpaced()
        } else if let Some(call) = self.requests.pop() {
            NextCall::Ready(Lane::Request, call)
        } else if self.worker.is_empty() {
            NextCall::Empty
        } else {
            NextCall::NotBefore(self.worker_paused_until.into_iter().chain(quiet_from).min().unwrap_or(now))
        }
    }

    /// The next request or call of background work, without pauses; background work comes first.
    fn next_unpaced(&mut self) -> NextCall<T> {
        let worker = self.worker.pop_front().map(|call| (Lane::Worker, call));
        let next = worker.or_else(|| self.requests.pop().map(|call| (Lane::Request, call)));
        next.map_or(NextCall::Empty, |(lane, call)| NextCall::Ready(lane, call))
    }

    fn next_cleanup(&mut self) -> NextCall<T> {
        self.cleanup.pop_front().map_or(NextCall::Empty, |(_, call)| NextCall::Ready(Lane::Cleanup, call))
    }

    /// The next call of any lane, without pauses.
    fn drain(&mut self) -> NextCall<T> {
        match self.next_unpaced() {
            NextCall::Empty => self.next_cleanup(),
            call => call,
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

    /// Runs all calls, each of which takes `tenths` of a millisecond, and lists their lanes in order; `.` is a pause.
    fn run_order(queues: &mut LaneQueues<&'static str>, tenths: u32) -> String {
        run_order_from(Instant::now(), queues, tenths)
    }

    fn run_order_from(mut now: Instant, queues: &mut LaneQueues<&'static str>, tenths: u32) -> String {
        let mut order = String::new();
        loop {
            match queues.next(now) {
                NextCall::Ready(lane, name) => {
                    let took = tenths * MIN_WORKER_PAUSE / 10;
                    now += took;
                    queues.record_completion(lane, took, now);
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
        let mut queues = LaneQueues::default();
        let now = Instant::now();
        (0..requests).for_each(|_| queues.push(Lane::Request, &None, "r", now));
        (0..worker).for_each(|_| queues.push(Lane::Worker, &None, "w", now));
        queues
    }

    /// As [`run_order`], with a cleanup call that is queued together with the others.
    fn run_order_with_cleanup(requests: usize, worker: usize, tenths: u32) -> String {
        let (mut queues, now) = (queues_with(requests, worker), Instant::now());
        queues.push(Lane::Cleanup, &None, "c", now);
        run_order_from(now, &mut queues, tenths)
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
        let mut queues = LaneQueues::default();
        assert!(queues.is_idle(now));
        queues.record_completion(Lane::Cleanup, MIN_WORKER_PAUSE, now);
        assert!(queues.is_idle(now));
        for lane in [Lane::Request, Lane::Worker] {
            queues.record_completion(lane, MIN_WORKER_PAUSE, now);
            assert!(!queues.is_idle(now + IDLE_PERIOD / 2) && queues.is_idle(now + IDLE_PERIOD));
            queues.push(lane, &None, "waits", now);
            assert!(!queues.is_idle(now + IDLE_PERIOD));
            queues.drain();
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
