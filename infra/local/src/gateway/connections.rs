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
const EVICTION_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// What a connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The head of a request is waited for, the first of the connection or one that has begun.
    ReadingHead,
    /// Nothing, between two requests.
    Idle,
    /// The rest of a request's body is waited for.
    ReadingBody,
    /// A request is answered.
    Handling,
    /// An answer is written.
    Writing,
}

/// What one connection does, and since when; seen by all who serve it.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<(Phase, Instant)>,
    eviction: Notify,
}

impl Activity {
    fn new() -> Self {
        Self { state: Mutex::new((Phase::ReadingHead, Instant::now())), eviction: Notify::new() }
    }

    pub(super) fn phase(&self) -> Phase {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    pub(super) fn enter(&self, phase: Phase) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    /// Something is written: an answer, unless the request is still being read.
    pub(super) fn begin_write(&self) {
        if !matches!(self.phase(), Phase::ReadingBody | Phase::Handling) {
            self.enter(Phase::Writing);
        }
    }

    /// Returns when the connection has to make room for another.
    pub(super) async fn wait_for_eviction(&self) {
        self.eviction.notified().await;
    }

    /// Since when the client is waited for; none where the client waits.
    fn waiting_since(&self) -> Option<Instant> {
        let (phase, since) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (phase != Phase::Handling).then_some(since)
    }
}

/// All connections.
pub(super) struct Connections {
    slots: Arc<Semaphore>,
    activities: Arc<Mutex<HashMap<u64, Arc<Activity>>>>,
    next_id: u64,
}

/// The place of one connection, given back when it is dropped.
pub(super) struct ConnectionSlot {
    pub(super) activity: Arc<Activity>,
    id: u64,
    activities: Arc<Mutex<HashMap<u64, Arc<Activity>>>>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// As many as the process's descriptor limit allows.
    pub(super) fn new(descriptors: usize) -> Self {
        let most = descriptors.saturating_sub(RESERVED_DESCRIPTORS).clamp(1, MAX_CONNECTIONS);
        Self { slots: Arc::new(Semaphore::new(most)), activities: Arc::default(), next_id: 0 }
    }

    /// A place for a new connection; waits for one where every other connection is busy.
    pub(super) async fn acquire_slot(&mut self) -> ConnectionSlot {
        let permit = loop {
            if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
                break permit;
            }
            self.evict_longest_waiting();
            if let Ok(Ok(permit)) =
                timeout(EVICTION_RETRY_INTERVAL, Arc::clone(&self.slots).acquire_owned()).await
            {
                break permit;
            }
        };
        let (number, activity) = (self.next_id, Arc::new(Activity::new()));
        self.next_id += 1;
        self.activities.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Arc::clone(&activity));
        ConnectionSlot { activity, id: number, activities: Arc::clone(&self.activities), _permit: permit }
    }

    /// Ends the connection that has waited for its client for longest, if one does.
    pub(super) fn evict_longest_waiting(&self) {
        let open = self.activities.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = open.values().filter_map(|activity| Some((activity.waiting_since()?, activity)));
        if let Some((_, longest)) = waiting.min_by_key(|(since, _)| *since) {
            longest.eviction.notify_one();
        }
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.activities.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn new_connection_evicts_the_longest_waiting_one() {
        let mut connections = Connections::new(RESERVED_DESCRIPTORS + 2);
        let (busy, idle) = (connections.acquire_slot().await, connections.acquire_slot().await);
        busy.activity.enter(Phase::Handling);
        let ends = tokio::spawn(async move {
            idle.activity.wait_for_eviction().await;
            drop(idle);
        });
        let third = connections.acquire_slot().await;
        ends.await.unwrap();
        assert_eq!(third.activity.phase(), Phase::ReadingHead);
        assert_eq!(connections.slots.available_permits(), 0);
        drop((busy, third));
        assert_eq!(connections.slots.available_permits(), 2);
        assert!(connections.activities.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn at_least_one_connection_is_allowed() {
        assert_eq!(Connections::new(0).slots.available_permits(), 1);
        assert_eq!(Connections::new(64).slots.available_permits(), 32);
        assert_eq!(Connections::new(1 << 20).slots.available_permits(), MAX_CONNECTIONS);
    }
}
