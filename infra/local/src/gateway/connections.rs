//! How many connections there are at once. Where there are as many as may be, a new one takes the place of the one that
//! has waited for its client for longest, so that clients that only hold connections lock out no others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Connections at once, where the descriptor limit allows them. Each holds up to some 50 KB of a request.
const MAX_CONNECTIONS: usize = 512;

/// Descriptors that are kept for everything else: the table's files, the log, connections to the issuers of tokens.
const RESERVED_DESCRIPTORS: usize = 32;

/// How often a connection that waits for its client is looked for, where all were busy.
const RETRY: Duration = Duration::from_millis(50);

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The head of a request is waited for, the first of the connection or one that has begun.
    Head,
    /// Nothing, between two requests.
    Idle,
    /// The rest of a request's body is waited for.
    Body,
    /// A request is answered.
    Request,
    /// An answer is written.
    Answer,
}

/// What one connection does, and since when; seen by all who serve it.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<(Phase, Instant)>,
    end: Notify,
}

impl Activity {
    fn new() -> Self {
        Self { state: Mutex::new((Phase::Head, Instant::now())), end: Notify::new() }
    }

    pub(super) fn phase(&self) -> Phase {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn enter(&self, phase: Phase) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    /// Something is written: an answer, unless the request is still being read.
    pub(super) fn write(&self) {
        if !matches!(self.phase(), Phase::Body | Phase::Request) {
            self.enter(Phase::Answer);
        }
    }

    /// Returns when the connection has to make room for another.
    pub(super) async fn displaced(&self) {
        self.end.notified().await;
    }

    /// Since when the client is waited for; none where the client waits.
    fn waits_since(&self) -> Option<Instant> {
        let (phase, since) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (phase != Phase::Request).then_some(since)
    }
}

/// All connections.
pub(super) struct Connections {
    places: Arc<Semaphore>,
    open: Arc<Mutex<HashMap<u64, Arc<Activity>>>>,
    next: u64,
}

/// The place of one connection, given back when it is dropped.
pub(super) struct Place {
    pub(super) activity: Arc<Activity>,
    number: u64,
    open: Arc<Mutex<HashMap<u64, Arc<Activity>>>>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// As many as the process's descriptor limit allows.
    pub(super) fn new(descriptors: usize) -> Self {
        let most = descriptors.saturating_sub(RESERVED_DESCRIPTORS).clamp(1, MAX_CONNECTIONS);
        Self { places: Arc::new(Semaphore::new(most)), open: Arc::default(), next: 0 }
    }

    /// A place for a new connection; waits for one where every other connection is busy.
    pub(super) async fn place(&mut self) -> Place {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                break permit;
            }
            self.end_longest_waiting();
            if let Ok(Ok(permit)) = timeout(RETRY, Arc::clone(&self.places).acquire_owned()).await {
                break permit;
            }
        };
        let (number, activity) = (self.next, Arc::new(Activity::new()));
        self.next += 1;
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&activity));
        Place { activity, number, open: Arc::clone(&self.open), _permit: permit }
    }

    /// Ends the connection that has waited for its client for longest, if one does.
    pub(super) fn end_longest_waiting(&self) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = open.values().filter_map(|activity| Some((activity.waits_since()?, activity)));
        if let Some((_, longest)) = waiting.min_by_key(|(since, _)| *since) {
            longest.end.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn new_connection_takes_the_place_of_the_longest_waiting_one() {
        let mut connections = Connections::new(RESERVED_DESCRIPTORS + 2);
        let (busy, idle) = (connections.place().await, connections.place().await);
        busy.activity.enter(Phase::Request);
        let ends = tokio::spawn(async move {
            idle.activity.displaced().await;
            drop(idle);
        });
        let third = connections.place().await;
        ends.await.unwrap();
        assert_eq!(third.activity.phase(), Phase::Head);
        assert_eq!(connections.places.available_permits(), 0);
        drop((busy, third));
        assert_eq!(connections.places.available_permits(), 2);
        assert!(connections.open.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn there_is_a_place_however_few_descriptors_there_are() {
        assert_eq!(Connections::new(0).places.available_permits(), 1);
        assert_eq!(Connections::new(64).places.available_permits(), 32);
        assert_eq!(Connections::new(1 << 20).places.available_permits(), MAX_CONNECTIONS);
    }
}
