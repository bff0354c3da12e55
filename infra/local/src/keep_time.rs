//! Keeps how far the server's clock has come, so that it does not go back across restarts.
//!
//! While requests come, the moment up to which the clock may go is written ahead, once a second; so whatever was stamped
//! before a crash is below it. An idle server writes nothing.

use std::time::Duration;

use imageshare::store::{Store, StoreError};
use tokio::time::{Instant, interval_at};

/// How often it is written while requests come.
const PERIOD: Duration = Duration::from_secs(1);

/// How far ahead of the clock the moment is that is written: more than passes until it is written again.
const LEAD: Duration = Duration::from_secs(5);

/// Lets the clock go on from where it was, and says so in the log where the machine's clock was set back.
///
/// # Errors
/// [`StoreError`] where the table cannot be read.
pub async fn resume(store: &Store) -> Result<(), StoreError> {
    let Some(kept) = store.kept_time().await? else { return Ok(()) };
    let behind = kept.reached.unix_millis() - store.clock().now().unix_millis();
    if behind > 0 {
        tracing::warn!(
            seconds = behind.div_euclid(1000),
            "the machine's clock was set back; the server's goes on from where it was"
        );
    }
    store.clock().resume(kept.reserved);
    Ok(())
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
    let reached = store.clock().now();
    let kept = store.keep_time(reached, reached.plus(lead)).await;
    kept.inspect_err(|problem| tracing::error!(%problem, "the clock could not be kept")).is_ok()
}
