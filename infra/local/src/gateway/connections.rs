//! Limits the number of open connections. At the limit, a new connection evicts the one that has waited longest for its
//! client, so that clients which only hold connections do not lock out others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Open connections at a time, if the descriptor limit allows as many. Each buffers up to some 50 KB of a request.
const MAX_CONNECTIONS: usize = 512;

/// Descriptors reserved for everything else: the table's files, the log, connections to issuers of tokens.
const RESERVED_DESCRIPTORS: usize = 32;

/// How long to wait before the next eviction, if every connection is busy.
const EVICTION_RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Waiting for the head of a request: the connection's first, or one that has begun.
    ReadingHead,
    /// Waiting for the next request.
    Idle,
    /// Waiting for the rest of a request's body.
    ReadingBody,
    /// Handling a request.
    Handling,
    /// Writing a response.
    Writing,
}

/// The phase of one connection, and when it began. Shared by the connection's stream, its handler and [`Connections`].
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

    /// Enters [`Phase::Writing`], unless the request is still being read or handled.
    pub(super) fn begin_write(&self) {
        if !matches!(self.phase(), Phase::ReadingBody | Phase::Handling) {
            self.enter(Phase::Writing);
        }
    }

    /// Returns when this connection is evicted.
    pub(super) async fn wait_for_eviction(&self) {
        self.eviction.notified().await;
    }

    /// Returns since when the connection has waited for its client; `None` while the client waits for the server.
    fn waiting_since(&self) -> Option<Instant> {
        let (phase, since) = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (phase != Phase::Handling).then_some(since)
    }
}

/// The open connections.
pub(super) struct Connections {
    slots: Arc<Semaphore>,
    activities: Arc<Mutex<HashMap<u64, Arc<Activity>>>>,
    next_id: u64,
}

/// The slot of one connection, released when dropped.
pub(super) struct ConnectionSlot {
    pub(super) activity: Arc<Activity>,
    id: u64,
    activities: Arc<Mutex<HashMap<u64, Arc<Activity>>>>,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// Allows as many connections as the process's descriptor limit permits, at most [`MAX_CONNECTIONS`].
    pub(super) fn new(descriptors: usize) -> Self {
        let slots = descriptors.saturating_sub(RESERVED_DESCRIPTORS).clamp(1, MAX_CONNECTIONS);
        Self { slots: Arc::new(Semaphore::new(slots)), activities: Arc::default(), next_id: 0 }
    }

    /// Returns a slot for a new connection. At the limit, evicts a connection that waits for its client; waits while
    /// every connection is busy.
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
        let (id, activity) = (self.next_id, Arc::new(Activity::new()));
        self.next_id += 1;
        self.activities.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&activity));
        ConnectionSlot { activity, id, activities: Arc::clone(&self.activities), _permit: permit }
    }

    /// Ends the connection that has waited longest for its client, if one waits.
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
        let evicted = tokio::spawn(async move {
            idle.activity.wait_for_eviction().await;
            drop(idle);
        });
        let third = connections.acquire_slot().await;
        evicted.await.unwrap();
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
