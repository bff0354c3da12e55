//! Requests that wait for a message, or for the end of a job, instead of asking again and again. Each holds a connection of the server, so their
//! number is limited, in all and for each tenant; and none outlasts a stop of the server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::domain::TenantId;

/// The number of requests that may wait: an eighth of the server's connections.
const MAX_WAITING: usize = 64;

/// The number of them of one tenant. A client that goes away leaves its request waiting until its time is over.
const MAX_WAITING_PER_TENANT: usize = 8;

/// The requests of a process that wait. Clones share them.
#[derive(Debug, Clone)]
pub struct WaitingReads {
    tenants: Arc<Mutex<HashMap<TenantId, Arrivals>>>,
    stopped: watch::Receiver<bool>,
}

/// Tells the requests of one tenant that a message has arrived. Each of them has a receiver.
type Arrivals = watch::Sender<()>;

/// A request that waits.
#[derive(Debug)]
pub struct WaitingRead {
    reads: WaitingReads,
    tenant: TenantId,
    arrivals: watch::Receiver<()>,
}

/// As many requests as allowed are waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many requests are waiting")]
pub struct TooManyWaiting;

/// Why a pause has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// A message may have arrived, or the time is over.
    Over,
    /// The server is stopping.
    Stopping,
}

impl WaitingReads {
    /// Lets requests wait until `stopped` is true, or its sender is dropped.
    pub fn new(stopped: watch::Receiver<bool>) -> Self {
        Self { tenants: Arc::default(), stopped }
    }

    /// Begins to wait for a message to a tenant. One that arrives from now on ends the next pause.
    ///
    /// # Errors
    /// [`TooManyWaiting`] if too many requests wait, of that tenant or in all.
    pub fn begin(&self, tenant: &TenantId) -> Result<WaitingRead, TooManyWaiting> {
        let mut tenants = self.lock();
        let waiting: usize = tenants.values().map(Arrivals::receiver_count).sum();
        let of_tenant = tenants.get(tenant).map_or(0, Arrivals::receiver_count);
        if waiting >= MAX_WAITING || of_tenant >= MAX_WAITING_PER_TENANT {
            return Err(TooManyWaiting);
        }
        let arrivals = tenants.entry(tenant.clone()).or_insert_with(|| watch::channel(()).0).subscribe();
        Ok(WaitingRead { reads: self.clone(), tenant: tenant.clone(), arrivals })
    }

    /// Tells the waiting requests of a tenant, in this process, that a message has arrived.
    pub fn announce(&self, tenant: &TenantId) {
        if let Some(arrivals) = self.lock().get(tenant) {
            arrivals.send_replace(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Arrivals>> {
        // Nothing panics while the lock is held.
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingRead {
    /// Pauses until a message arrives, until `deadline`, or until the server stops.
    pub async fn pause_until(&mut self, deadline: Instant) -> Pause {
        tokio::select! {
            // An error means that the sender was dropped, which counts as a stop.
            _ = self.reads.stopped.wait_for(|stopped| *stopped) => Pause::Stopping,
            // The sender lives as long as this receiver.
            _ = self.arrivals.changed() => Pause::Over,
            () = sleep_until(deadline) => Pause::Over,
        }
    }
}

impl Drop for WaitingRead {
    fn drop(&mut self) {
        let mut tenants = self.reads.lock();
        // This receiver is one of those that are counted.
        if tenants.get(&self.tenant).is_some_and(|arrivals| arrivals.receiver_count() <= 1) {
            tenants.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tenant(number: usize) -> TenantId {
        format!("t-{number}").parse().unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test(start_paused = true)]
    async fn arrival_ends_the_pauses_of_its_tenant_only() {
        let (_stop, stopped) = watch::channel(false);
        let reads = WaitingReads::new(stopped);
        let (mut one, mut other) = (reads.begin(&tenant(1)).unwrap(), reads.begin(&tenant(2)).unwrap());
        // Before the pause: the request may be reading the table at this moment.
        reads.announce(&tenant(1));
        let started = Instant::now();
        assert_eq!(one.pause_until(soon()).await, Pause::Over);
        assert!(started.elapsed() < Duration::from_secs(1));
        assert_eq!(other.pause_until(soon()).await, Pause::Over);
        assert!(started.elapsed() >= Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn stop_ends_every_pause() {
        let (stop, stopped) = watch::channel(false);
        let reads = WaitingReads::new(stopped);
        let mut read = reads.begin(&tenant(1)).unwrap();
        stop.send(true).unwrap();
        assert_eq!(read.pause_until(soon()).await, Pause::Stopping);
        drop(stop);
        assert_eq!(read.pause_until(soon()).await, Pause::Stopping);
    }

    #[test]
    fn number_of_waiting_requests_is_limited() {
        let (_stop, stopped) = watch::channel(false);
        let reads = WaitingReads::new(stopped);
        let mut waiting: Vec<_> =
            (0..MAX_WAITING_PER_TENANT).map(|_| reads.begin(&tenant(0)).unwrap()).collect();
        assert!(reads.begin(&tenant(0)).is_err());
        waiting.extend((waiting.len()..MAX_WAITING).map(|number| reads.begin(&tenant(number)).unwrap()));
        assert!(reads.begin(&tenant(MAX_WAITING)).is_err());
        waiting.pop();
        waiting.push(reads.begin(&tenant(MAX_WAITING)).unwrap());
        drop(waiting);
        assert!(reads.lock().is_empty());
    }
}
