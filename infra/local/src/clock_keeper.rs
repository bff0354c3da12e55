//! Keeps how far the server's clock has come, so that it does not go back across restarts.
//!
//! While requests come, the moment up to which the clock may go is written ahead: before the first one after a rest, and
//! once a second from then on. So whatever was stamped before a crash is below it. An idle server writes nothing.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use imageshare::domain::Timestamp;
use imageshare::store::{SavedClock, Store, StoreError};
use tokio::sync::Mutex;
use tokio::time::{Instant, interval_at};

/// How often it is written while requests come.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// How far ahead of the clock the moment is that is written: more than passes until it is written again.
const LEAD: Duration = Duration::from_secs(5);

/// How far ahead it must be when a request begins.
const MIN_LEAD: Duration = Duration::from_secs(2);

/// How long requests may be under way after the last one has begun: as long as a gateway waits for a function.
const MAX_REQUEST_DURATION: Duration = Duration::from_secs(29);

/// Keeps the time of a server.
#[derive(Debug)]
pub struct ClockKeeper {
    store: Store,
    /// The moment up to which the clock may go, in milliseconds.
    reserved: AtomicI64,
    /// When the last request began, in milliseconds.
    last_request: AtomicI64,
    /// One write at a time.
    write_lock: Mutex<()>,
}

impl ClockKeeper {
    /// Lets the clock go on from where it was, and says so in the log where the machine's clock was set back. One read and one
    /// write.
    ///
    /// # Errors
    /// [`StoreError`] where the table cannot be read or written.
    pub async fn resume(store: Store) -> Result<Self, StoreError> {
        if let Some(kept) = store.saved_clock().await? {
            resume_clock(&store, kept);
        }
        let (reserved, last_request) = (AtomicI64::new(0), AtomicI64::new(i64::MIN));
        let keeper = Self { store, reserved, last_request, write_lock: Mutex::default() };
        keeper.save(LEAD).await?;
        Ok(keeper)
    }

    /// Sees to it that the moment that is kept is ahead of the clock, before a request is handled. Nothing, or one write after
    /// a rest. Where that fails the log says so, and the request goes on: the table will not take its writes either.
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

    /// Whether the moment that is kept is far enough ahead for a request to begin.
    fn has_min_lead(&self) -> bool {
        let needed = self.store.clock().now().plus(MIN_LEAD);
        needed.unix_millis() <= self.reserved.load(Ordering::Acquire)
    }

    /// Writes how far the clock has come while requests are under way, until `stop` is ready, and a last time then.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut turns = interval_at(Instant::now() + SAVE_INTERVAL, SAVE_INTERVAL);
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = turns.tick() => {}
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
            tracing::error!(%problem, "the clock could not be kept");
        }
    }

    /// Keeps the moment that the clock has reached, and one that is above every stamp of that moment and of `lead` after it.
    async fn save(&self, lead: Duration) -> Result<(), StoreError> {
        let clock = self.store.clock();
        let reached = clock.now();
        // A stamp that had to be above what was read may be a little ahead.
        let issued = clock.last_stamp().map_or(reached, |last| last.time().max(reached));
        let reserved: Timestamp = issued.plus(lead + Duration::from_millis(1));
        self.store.save_clock(reached, reserved).await?;
        self.reserved.store(reserved.unix_millis(), Ordering::Release);
        Ok(())
    }
}

fn resume_clock(store: &Store, kept: SavedClock) {
    let behind = kept.reached.unix_millis() - store.clock().now().unix_millis();
    if behind > 0 {
        tracing::warn!(
            seconds = behind.div_euclid(1000),
            "the machine's clock was set back; the server's goes on from where it was"
        );
    }
    store.clock().resume(kept.reserved);
}
