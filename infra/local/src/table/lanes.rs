//! One thread that owns a resource whose calls block, fed by three bounded lanes.
//!
//! The embedded database does one thing at a time and blocks the thread that asks. So it has a thread of its own,
//! and who may go next is decided here instead of by a mutex's luck: requests before background work, but while
//! requests come, background work has one call in every [`PACE`], or a quarter of the time where calls are slow, so that
//! neither starves. Among requests, tenants take turns ([`flows`](super::flows)). Cleanup goes last: when nothing else waits
//! and requests are quiet, or when it has waited for [`CLEANUP_TIMEOUT`]. It paces itself.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{io, thread};

use imageshare::domain::TenantId;
use tokio::sync::{Semaphore, oneshot, watch};

use super::flows::Flows;

/// How long background work rests after each call while requests come, at least.
const PACE: Duration = Duration::from_millis(1);

/// How long it rests, in times of what its call took: on a slow disk requests have three quarters of the time.
const REST: u32 = 3;

/// Requests have stopped coming when none has ended for so long.
const QUIET: Duration = Duration::from_millis(1);

/// A cleanup call that has waited for so long goes next.
const CLEANUP_TIMEOUT: Duration = Duration::from_millis(100);

/// Without a request or background work for so long, the resource is idle.
const IDLE_AFTER: Duration = Duration::from_millis(500);

/// Calls that may wait in one line; a further caller waits for room. There is no limit for a whole lane: tenants that
/// reached it would keep out the others.
const LINE_CAPACITY: usize = 256;

/// The lines of tenants that are kept before those that are not in use are looked for.
const MIN_LINES: usize = 64;

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
pub enum Unanswered {
    /// It was not taken: the thread takes no more calls.
    #[error("the embedded table is closed")]
    Closed,
    /// It panicked.
    #[error("a call to the embedded table panicked")]
    Panicked,
}

type Call<R> = Box<dyn FnOnce(&R) + Send>;

/// The tenant on whose behalf a call is made. Calls on behalf of no tenant in particular share a flow.
type FlowName = Option<Arc<TenantId>>;

/// Where calls wait: a lane, and in that of requests the flow of one tenant. Cheap to clone.
#[derive(Clone)]
pub struct Line {
    lane: Lane,
    flow: FlowName,
    room: Arc<Semaphore>,
}

impl Line {
    fn new(lane: Lane, flow: FlowName) -> Self {
        Self { lane, flow, room: Arc::new(Semaphore::new(LINE_CAPACITY)) }
    }

    /// Its lane.
    pub fn lane(&self) -> Lane {
        self.lane
    }
}

/// The way to the thread that owns an `R`. The thread ends when this is dropped or [`closed`](Self::close), after
/// the calls that already wait.
pub struct Lanes<R> {
    queue: Arc<Queue<R>>,
    requests: Line,
    worker: Line,
    cleanup: Line,
    tenants: Mutex<TenantLines>,
    ended: watch::Receiver<()>,
}

impl<R: Send + 'static> Lanes<R> {
    /// Moves the resource onto a thread of that name.
    pub fn new(name: &str, resource: R) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let (ending, ended) = watch::channel(());
        let served = Arc::clone(&queue);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            serve(&served, resource);
            drop(ending);
        })?;
        Ok(Self {
            queue,
            requests: Line::new(Lane::Request, None),
            worker: Line::new(Lane::Worker, None),
            cleanup: Line::new(Lane::Cleanup, None),
            tenants: Mutex::default(),
            ended,
        })
    }

    /// Returns the line of a lane for calls on behalf of no tenant in particular.
    pub fn line(&self, lane: Lane) -> Line {
        match lane {
            Lane::Request => self.requests.clone(),
            Lane::Worker => self.worker.clone(),
            Lane::Cleanup => self.cleanup.clone(),
        }
    }

    /// Returns the line of requests on behalf of that tenant.
    pub fn line_of(&self, tenant: &TenantId) -> Line {
        // Nothing panics while the lock is held.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).line(tenant)
    }

    /// Runs a call on the resource when its turn comes. Once in a line a call is carried out, even if the caller
    /// stops waiting for it.
    pub async fn run<T: Send + 'static>(
        &self,
        line: &Line,
        call: impl FnOnce(&R) -> T + Send + 'static,
    ) -> Result<T, Unanswered> {
        let place = Arc::clone(&line.room).acquire_owned().await.map_err(|_| Unanswered::Closed)?;
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
        answered.await.map_err(|_| Unanswered::Panicked)
    }

    /// Whether there was neither a request nor background work for a while.
    pub fn is_idle(&self) -> bool {
        self.queue.lock().turns.is_idle(Instant::now())
    }

    /// How many calls of requests wait for their turn.
    #[cfg(test)]
    pub fn waiting_requests(&self) -> usize {
        self.queue.lock().turns.requests.len()
    }

    /// How many lines of tenants are kept.
    #[cfg(test)]
    pub fn tenant_lines(&self) -> usize {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).rooms.len()
    }

    /// Takes no more calls, finishes those that wait, and returns when the resource has been dropped.
    pub async fn close(&self) {
        self.queue.close();
        // The sender is dropped when the thread ends, and nothing is ever sent.
        let _ = self.ended.clone().changed().await;
    }
}

impl<R> Drop for Lanes<R> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The lines of tenants that have requests.
#[derive(Default)]
struct TenantLines {
    /// The room of each line, as long as a request or a call has it.
    rooms: HashMap<Arc<TenantId>, Weak<Semaphore>>,
    /// How many rooms there may be before those that are not in use are removed.
    most: usize,
}

impl TenantLines {
    fn line(&mut self, tenant: &TenantId) -> Line {
        if let Some((name, room)) = self.rooms.get_key_value(tenant)
            && let Some(room) = room.upgrade()
        {
            return Line { lane: Lane::Request, flow: Some(Arc::clone(name)), room };
        }
        if self.rooms.len() >= self.most {
            self.rooms.retain(|_, room| room.strong_count() > 0);
            self.most = MIN_LINES.max(2 * self.rooms.len());
        }
        let name = Arc::new(tenant.clone());
        let line = Line::new(Lane::Request, Some(Arc::clone(&name)));
        self.rooms.insert(name, Arc::downgrade(&line.room));
        line
    }
}

/// Runs the calls in turn until the queue is closed and empty, then drops the resource.
fn serve<R>(queue: &Queue<R>, resource: R) {
    while let Some((lane, call)) = queue.wait() {
        let begun = Instant::now();
        if catch_unwind(AssertUnwindSafe(|| call(&resource))).is_err() {
            tracing::error!("a call to the embedded table panicked; its caller gets an error");
        }
        let now = Instant::now();
        queue.lock().turns.ended(lane, now - begun, now);
    }
    drop(resource);
}

/// The calls that wait, and whether more may come.
struct Queue<R> {
    waiting: Mutex<Waiting<Call<R>>>,
    changed: Condvar,
}

struct Waiting<T> {
    turns: Turns<T>,
    closed: bool,
}

impl<R> Default for Queue<R> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(Waiting { turns: Turns::default(), closed: false }),
            changed: Condvar::new(),
        }
    }
}

impl<R> Queue<R> {
    fn push(&self, line: &Line, call: Call<R>) -> Result<(), Unanswered> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Unanswered::Closed);
        }
        waiting.turns.push(line.lane, &line.flow, call, Instant::now());
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// The call whose turn it is; `None` once the queue is closed and empty.
    fn wait(&self) -> Option<(Lane, Call<R>)> {
        let mut waiting = self.lock();
        loop {
            let now = Instant::now();
            let turn = if waiting.closed { waiting.turns.drain() } else { waiting.turns.next(now) };
            waiting = match turn {
                Turn::Now(lane, call) => return Some((lane, call)),
                Turn::Nobody if waiting.closed => return None,
                Turn::Nobody => self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Turn::Later(then) => {
                    let rest = then.saturating_duration_since(now);
                    self.changed.wait_timeout(waiting, rest).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<Call<R>>> {
        // Nothing panics while the lock is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose turn it is. Told the time, so that it can be tested without a clock.
struct Turns<T> {
    requests: Flows<FlowName, T>,
    worker: VecDeque<T>,
    /// Each with the moment from which it has waited.
    cleanup: VecDeque<(Instant, T)>,
    /// When the last request ended.
    last_request: Option<Instant>,
    /// When the last call of background work ended.
    last_work: Option<Instant>,
    /// Until when background work rests while requests come.
    rest: Option<Instant>,
}

enum Turn<T> {
    Now(Lane, T),
    /// Background work rests until then.
    Later(Instant),
    Nobody,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        let (worker, cleanup) = (VecDeque::new(), VecDeque::new());
        Self { requests: Flows::default(), worker, cleanup, last_request: None, last_work: None, rest: None }
    }
}

impl<T> Turns<T> {
    fn push(&mut self, lane: Lane, flow: &FlowName, call: T, now: Instant) {
        match lane {
            Lane::Request => self.requests.push(flow.clone(), call),
            Lane::Worker => self.worker.push_back(call),
            Lane::Cleanup => self.cleanup.push_back((now, call)),
        }
    }

    fn next(&mut self, now: Instant) -> Turn<T> {
        let Some(due) = self.cleanup.front().map(|(since, _)| *since + CLEANUP_TIMEOUT) else {
            return self.next_of_others(now);
        };
        if due <= now {
            return self.next_cleanup();
        }
        match self.next_of_others(now) {
            Turn::Nobody => match self.last_request.map(|ended| ended + QUIET) {
                Some(quiet_from) if quiet_from > now => Turn::Later(quiet_from.min(due)),
                _ => self.next_cleanup(),
            },
            Turn::Later(then) => Turn::Later(then.min(due)),
            turn @ Turn::Now(..) => turn,
        }
    }

    /// The next call that is no cleanup.
    fn next_of_others(&mut self, now: Instant) -> Turn<T> {
        let quiet_from = self.last_request.map(|ended| ended + QUIET);
        let quiet = self.requests.is_empty() && quiet_from.is_none_or(|from| from <= now);
        let rested = self.rest.is_none_or(|until| until <= now);
        if quiet || rested {
            self.last()
        } else if let Some(call) = self.requests.pop() {
            Turn::Now(Lane::Request, call)
        } else if self.worker.is_empty() {
            Turn::Nobody
        } else {
            Turn::Later(self.rest.into_iter().chain(quiet_from).min().unwrap_or(now))
        }
    }

    /// Background work first, without any rest.
    fn last(&mut self) -> Turn<T> {
        let worker = self.worker.pop_front().map(|call| (Lane::Worker, call));
        let next = worker.or_else(|| self.requests.pop().map(|call| (Lane::Request, call)));
        next.map_or(Turn::Nobody, |(lane, call)| Turn::Now(lane, call))
    }

    fn next_cleanup(&mut self) -> Turn<T> {
        self.cleanup.pop_front().map_or(Turn::Nobody, |(_, call)| Turn::Now(Lane::Cleanup, call))
    }

    /// The next call that waits, without any rest.
    fn drain(&mut self) -> Turn<T> {
        match self.last() {
            Turn::Nobody => self.next_cleanup(),
            turn => turn,
        }
    }

    fn ended(&mut self, lane: Lane, took: Duration, now: Instant) {
        match lane {
            Lane::Request => {
                self.requests.ended(took);
                self.last_request = Some(now);
            }
            Lane::Worker => (self.last_work, self.rest) = (Some(now), Some(now + PACE.max(took * REST))),
            Lane::Cleanup => {}
        }
    }

    fn is_idle(&self, now: Instant) -> bool {
        let last = self.last_request.max(self.last_work);
        let is_long_ago = last.is_none_or(|ended| ended + IDLE_AFTER <= now);
        is_long_ago && self.requests.is_empty() && self.worker.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the turns, each of which takes `tenths` of a millisecond, and lists whose they were; `.` is a rest.
    fn order(turns: &mut Turns<&'static str>, tenths: u32) -> String {
        order_from(Instant::now(), turns, tenths)
    }

    fn order_from(mut now: Instant, turns: &mut Turns<&'static str>, tenths: u32) -> String {
        let mut order = String::new();
        loop {
            match turns.next(now) {
                Turn::Now(lane, name) => {
                    let took = tenths * PACE / 10;
                    now += took;
                    turns.ended(lane, took, now);
                    order.push_str(name);
                }
                Turn::Later(then) => {
                    assert!(then > now);
                    now = then;
                    order.push('.');
                }
                Turn::Nobody => return order,
            }
        }
    }

    fn turns(requests: usize, worker: usize) -> Turns<&'static str> {
        let mut turns = Turns::default();
        let now = Instant::now();
        (0..requests).for_each(|_| turns.push(Lane::Request, &None, "r", now));
        (0..worker).for_each(|_| turns.push(Lane::Worker, &None, "w", now));
        turns
    }

    /// As [`order`], with a cleanup call that begins to wait when the others do.
    fn order_with_cleanup(requests: usize, worker: usize, tenths: u32) -> String {
        let (mut turns, now) = (turns(requests, worker), Instant::now());
        turns.push(Lane::Cleanup, &None, "c", now);
        order_from(now, &mut turns, tenths)
    }

    #[test]
    fn while_requests_wait_background_work_has_one_call_a_millisecond() {
        assert_eq!(order(&mut turns(12, 3), 2), "wrrrrrwrrrrrwrr");
    }

    #[test]
    fn background_work_goes_on_without_a_rest_once_requests_are_quiet() {
        assert_eq!(order(&mut turns(0, 3), 2), "www");
        assert_eq!(order(&mut turns(1, 3), 2), "wr.ww");
    }

    #[test]
    fn long_background_calls_leave_requests_three_quarters_of_the_time() {
        assert_eq!(order(&mut turns(10, 2), 5), "wrrrwrrrrrrr");
        assert_eq!(order(&mut turns(10, 3), 100), "wrrrwrrrwrrrr");
    }

    #[test]
    fn requests_alone_never_wait() {
        assert_eq!(order(&mut turns(20, 0), 1), "r".repeat(20));
    }

    #[test]
    fn cleanup_waits_for_requests_and_background_work() {
        assert_eq!(order_with_cleanup(0, 0, 2), "c");
        assert_eq!(order_with_cleanup(2, 2, 2), "wrr.w.c");
    }

    #[test]
    fn idle_is_the_time_without_requests_and_background_work() {
        let now = Instant::now();
        let mut turns = Turns::default();
        assert!(turns.is_idle(now));
        turns.ended(Lane::Cleanup, PACE, now);
        assert!(turns.is_idle(now));
        for lane in [Lane::Request, Lane::Worker] {
            turns.ended(lane, PACE, now);
            assert!(!turns.is_idle(now + IDLE_AFTER / 2) && turns.is_idle(now + IDLE_AFTER));
            turns.push(lane, &None, "waits", now);
            assert!(!turns.is_idle(now + IDLE_AFTER));
            turns.drain();
        }
    }

    #[test]
    fn cleanup_that_has_waited_for_its_timeout_goes_next() {
        let quarter = 10 * u32::try_from((CLEANUP_TIMEOUT / 4).as_millis()).unwrap();
        assert_eq!(order_with_cleanup(8, 0, quarter), "rrrrcrrrr");
        assert_eq!(order_with_cleanup(0, 8, quarter), "wwwwcwwww");
    }

    #[tokio::test]
    async fn a_call_that_panics_is_an_error_and_the_next_one_is_answered() {
        let lanes = Lanes::new("test", 7).unwrap();
        let panicking = lanes.run(&lanes.requests, |_: &i32| -> i32 { panic!("on purpose") });
        assert_eq!(panicking.await, Err(Unanswered::Panicked));
        assert_eq!(lanes.run(&lanes.worker, |seven| *seven).await, Ok(7));
    }

    #[tokio::test]
    async fn closing_finishes_what_waits_and_refuses_what_comes_later() {
        let lanes = Arc::new(Lanes::new("test", ()).unwrap());
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
        assert_eq!(lanes.run(&lanes.requests, |()| ()).await, Err(Unanswered::Closed));
    }
}
