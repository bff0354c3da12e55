//! Keeps how far the server's clock has come, so that it does not go back across restarts.
//!
//! While requests come, the moment up to which the clock may go is written ahead, once a second; so whatever was stamped
//! before a crash is below it. An idle server writes nothing.

use std::time::Duration;

use imageshare::store::{KeptTime, Store, StoreError};
use tokio::time::{Instant, interval_at};

/// How often it is written while requests come.
const PERIOD: Duration = Duration::from_secs(1);

/// How far ahead of the clock the moment is that is written: more than passes until it is written again.
const LEAD: Duration = Duration::from_secs(5);

/// Lets the clock go on from where it was, and says so in the log where the machine's clock was set back. What is stamped until
/// [`run`] writes for the first time is below what is kept when this returns. One read and one write.
///
/// # Errors
/// [`StoreError`] where the table cannot be read or written.
pub async fn resume(store: &Store) -> Result<(), StoreError> {
    if let Some(kept) = store.kept_time().await? {
        go_on(store, kept);
    }
    keep(store, LEAD).await
}

fn go_on(store: &Store, kept: KeptTime) {
    let behind = kept.reached.unix_millis() - store.clock().now().unix_millis();
    if behind > 0 {
        tracing::warn!(
            seconds = behind.div_euclid(1000),
            "the machine's clock was set back; the server's goes on from where it was"
        );
    }
    store.clock().resume(kept.reserved);
}

/// Writes how far the clock has come while requests come, until `stop` is ready, and a last time then.
pub async fn run(store: Store, stop: impl Future<Output = ()>) {
    let mut turns = interval_at(Instant::now() + PERIOD, PERIOD);
    let mut written = None;
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            _ = turns.tick() => {}
        }
        let issued = store.clock().last();
        if issued != written && write(&store, LEAD).await {
            written = issued;
        }
    }
    if store.clock().last().is_some() {
        write(&store, Duration::ZERO).await;
    }
}

async fn write(store: &Store, lead: Duration) -> bool {
    let kept = keep(store, lead).await;
    kept.inspect_err(|problem| tracing::error!(%problem, "the clock could not be kept")).is_ok()
}

/// Keeps the moment that the clock has reached, and one that is above every stamp of that moment and of `lead` after it.
async fn keep(store: &Store, lead: Duration) -> Result<(), StoreError> {
    let reached = store.clock().now();
    // A stamp that had to be above what was read may be a little ahead.
    let issued = store.clock().last().map_or(reached, |last| last.time().max(reached));
    store.keep_time(reached, issued.plus(lead + Duration::from_millis(1))).await
}
