//! One thread that owns a resource whose calls block, fed by two bounded lanes.
//!
//! The embedded database does one thing at a time and blocks the thread that asks. So it has a thread of its own,
//! and who may go next is decided here instead of by a mutex's luck: requests before background work, but one turn
//! in [`WORKER_TURN`] goes to background work while it waits, so that neither starves.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use tokio::sync::{Semaphore, oneshot, watch};

/// While requests wait, one turn in this many goes to the worker's lane.
const WORKER_TURN: u32 = 8;

/// Calls that may wait in a lane; a further caller waits for room.
const LANE_CAPACITY: usize = 256;

/// Whose call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Somebody waits for the answer.
    Request,
    /// Background work.
    Worker,
}

/// The call was not answered: the thread has ended, or the call made it panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the embedded table no longer answers")]
pub struct Gone;

type Call<R> = Box<dyn FnOnce(&R) + Send>;

/// The way to the thread that owns an `R`. The thread ends when this is dropped or [`closed`](Self::close), after
/// the calls that already wait.
pub struct Lanes<R> {
    queue: Arc<Queue<R>>,
    request_room: Arc<Semaphore>,
    worker_room: Arc<Semaphore>,
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
        let room = || Arc::new(Semaphore::new(LANE_CAPACITY));
        Ok(Self { queue, request_room: room(), worker_room: room(), ended })
    }

    /// Runs a call on the resource when its turn comes. Once in a lane a call is carried out, even if the caller
    /// stops waiting for it.
    pub async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        call: impl FnOnce(&R) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let room = match lane {
            Lane::Request => &self.request_room,
            Lane::Worker => &self.worker_room,
        };
        let place = Arc::clone(room).acquire_owned().await.map_err(|_| Gone)?;
        let (answer, answered) = oneshot::channel();
        self.queue.push(
            lane,
            Box::new(move |resource| {
                let result = call(resource);
                drop(place);
                // The caller may have stopped waiting.
                let _ = answer.send(result);
            }),
        )?;
        answered.await.map_err(|_| Gone)
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

/// Runs the calls in turn until the queue is closed and empty, then drops the resource.
fn serve<R>(queue: &Queue<R>, resource: R) {
    while let Some(call) = queue.wait() {
        if catch_unwind(AssertUnwindSafe(|| call(&resource))).is_err() {
            tracing::error!("a call to the embedded table panicked; its caller gets an error");
        }
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
    fn push(&self, lane: Lane, call: Call<R>) -> Result<(), Gone> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Gone);
        }
        waiting.turns.push(lane, call);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// The call whose turn it is; `None` once the queue is closed and empty.
    fn wait(&self) -> Option<Call<R>> {
        let mut waiting = self.lock();
        loop {
            if let Some(call) = waiting.turns.next() {
                return Some(call);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
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

/// Whose turn it is.
struct Turns<T> {
    requests: VecDeque<T>,
    worker: VecDeque<T>,
    /// Requests that went before waiting background work since its last turn.
    passed: u32,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { requests: VecDeque::new(), worker: VecDeque::new(), passed: 0 }
    }
}

impl<T> Turns<T> {
    fn push(&mut self, lane: Lane, call: T) {
        match lane {
            Lane::Request => self.requests.push_back(call),
            Lane::Worker => self.worker.push_back(call),
        }
    }

    fn next(&mut self) -> Option<T> {
        let workers_turn = self.requests.is_empty() || self.passed + 1 >= WORKER_TURN;
        if self.worker.is_empty() || workers_turn {
            self.passed = 0;
        } else {
            self.passed += 1;
        }
        if workers_turn {
            self.worker.pop_front().or_else(|| self.requests.pop_front())
        } else {
            self.requests.pop_front()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(turns: &mut Turns<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| turns.next()).collect()
    }

    #[test]
    fn requests_go_first_and_the_worker_gets_one_turn_in_eight() {
        let mut turns = Turns::default();
        for _ in 0..3 {
            turns.push(Lane::Worker, "w");
        }
        for _ in 0..16 {
            turns.push(Lane::Request, "r");
        }
        let order = drain(&mut turns).concat();
        assert_eq!(order, "rrrrrrrwrrrrrrrwrrw");
    }

    #[test]
    fn the_worker_has_every_turn_while_no_request_waits() {
        let mut turns = Turns::default();
        turns.push(Lane::Worker, "w1");
        turns.push(Lane::Worker, "w2");
        assert_eq!(turns.next(), Some("w1"));
        turns.push(Lane::Request, "r");
        assert_eq!(drain(&mut turns), ["r", "w2"]);
    }

    #[test]
    fn requests_alone_owe_the_worker_nothing() {
        let mut turns = Turns::default();
        for _ in 0..20 {
            turns.push(Lane::Request, "r");
        }
        assert_eq!(turns.next(), Some("r"));
        turns.push(Lane::Worker, "w");
        assert_eq!(drain(&mut turns).iter().position(|call| *call == "w"), Some(7));
    }

    #[tokio::test]
    async fn a_call_that_panics_is_an_error_and_the_next_one_is_answered() {
        let lanes = Lanes::new("test", 7).unwrap();
        let panicking = lanes.run(Lane::Request, |_: &i32| -> i32 { panic!("on purpose") });
        assert_eq!(panicking.await, Err(Gone));
        assert_eq!(lanes.run(Lane::Worker, |seven| *seven).await, Ok(7));
    }

    #[tokio::test]
    async fn closing_finishes_what_waits_and_refuses_what_comes_later() {
        let lanes = Arc::new(Lanes::new("test", ()).unwrap());
        let (open, gate) = std::sync::mpsc::channel();
        let first = lanes.run(Lane::Request, move |()| gate.recv().is_ok());
        let second = lanes.run(Lane::Worker, |()| "done");
        let closing = async {
            lanes.queue.close();
            open.send(()).unwrap();
            lanes.close().await;
        };
        let (first, second, ()) = tokio::join!(first, second, closing);
        assert_eq!((first, second), (Ok(true), Ok("done")));
        assert_eq!(lanes.run(Lane::Request, |()| ()).await, Err(Gone));
    }
}
