//! Keeps the server's clock from going back across restarts, by saving how far it has come.
//!
//! What is saved is a reservation: a time ahead of the clock, which no stamp passes before the next save. It is saved
//! before the first request after an idle period, and once a second while requests come. So every stamp issued before a
//! crash is below the saved time. An idle server writes nothing.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use imageshare::domain::Timestamp;
use imageshare::store::{SavedClock, Store, StoreError};
use tokio::sync::Mutex;
use tokio::time::{Instant, interval_at};

/// How often the reservation is saved while requests come.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// How far the reservation is ahead of the clock: more than the time until the next save.
const LEAD: Duration = Duration::from_secs(5);

/// How far ahead the reservation has to be when a request begins.
const MIN_LEAD: Duration = Duration::from_secs(2);

/// How long after the last request began a request may still run: the gateway's timeout for functions.
const MAX_REQUEST_DURATION: Duration = Duration::from_secs(29);

/// Saves how far a server's clock has come.
#[derive(Debug)]
pub struct ClockKeeper {
    store: Store,
    /// The saved reservation, in Unix milliseconds.
    reserved: AtomicI64,
    /// When the last request began, in Unix milliseconds.
    last_request: AtomicI64,
    /// Held while saving, so that there is one save at a time.
    write_lock: Mutex<()>,
}

impl ClockKeeper {
    /// Resumes the clock from the saved time, and logs a warning if the machine's clock was set back. One read and one
    /// write.
    ///
    /// # Errors
    /// [`StoreError`] if the table cannot be read or written.
    pub async fn resume(store: Store) -> Result<Self, StoreError> {
        if let Some(saved) = store.saved_clock().await? {
            resume_clock(&store, saved);
        }
        let (reserved, last_request) = (AtomicI64::new(0), AtomicI64::new(i64::MIN));
        let keeper = Self { store, reserved, last_request, write_lock: Mutex::default() };
        keeper.save(LEAD).await?;
        Ok(keeper)
    }

    /// Makes sure, before a request is handled, that the reservation is far enough ahead. One write after an idle
    /// period, otherwise none. A failed write is logged and the request continues: its own writes will fail as well.
    pub async fn begin_request(&self) {
        self.last_request.fetch_max(self.store.clock().now().unix_millis(), Ordering::Relaxed);
        if self.has_min_lead() {
            return;
        }
        let _writing = self.write_lock.lock().await;
        if !self.has_min_lead() {
            self.save_or_log(LEAD).await;
        }
    }

    /// Whether the reservation is far enough ahead for a request to begin.
    fn has_min_lead(&self) -> bool {
        let needed = self.store.clock().now().plus(MIN_LEAD);
        needed.unix_millis() <= self.reserved.load(Ordering::Acquire)
    }

    /// Saves the reservation once a second while requests run, until `stop` is ready, and then a last time.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut interval = interval_at(Instant::now() + SAVE_INTERVAL, SAVE_INTERVAL);
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = interval.tick() => {}
            }
            let last_request = self.last_request.load(Ordering::Relaxed);
            if self.store.clock().now().minus(MAX_REQUEST_DURATION).unix_millis() <= last_request {
                let _writing = self.write_lock.lock().await;
                self.save_or_log(LEAD).await;
            }
        }
        if self.last_request.load(Ordering::Relaxed) > i64::MIN {
            let _writing = self.write_lock.lock().await;
            self.save_or_log(Duration::ZERO).await;
        }
    }

    async fn save_or_log(&self, lead: Duration) {
        if let Err(problem) = self.save(lead).await {
            tracing::error!(%problem, "the clock's progress could not be saved");
        }
    }

    /// Saves the clock's time, and a reservation above every stamp issued until `lead` from now.
    async fn save(&self, lead: Duration) -> Result<(), StoreError> {
        let clock = self.store.clock();
        let reached = clock.now();
        // A stamp is above every stamp that was read, so the last one may be a little ahead of the clock.
        let issued = clock.last_stamp().map_or(reached, |last| last.time().max(reached));
        let reserved: Timestamp = issued.plus(lead + Duration::from_millis(1));
        self.store.save_clock(reached, reserved).await?;
        self.reserved.store(reserved.unix_millis(), Ordering::Release);
        Ok(())
    }
}

fn resume_clock(store: &Store, saved: SavedClock) {
    let behind = saved.reached.unix_millis() - store.clock().now().unix_millis();
    if behind > 0 {
        tracing::warn!(
            seconds = behind.div_euclid(1000),
            "the machine's clock was set back; the server's clock continues from the saved time"
        );
    }
    store.clock().resume(saved.reserved);
}
