//! How long a call to the table is retried: until the deadline of its request or worker, which leaves time to respond.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::error::StoreError;
use crate::table::TableError;

/// How long a call is retried without a deadline.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(8);

/// The longest pause after the first attempt. It doubles with each attempt, up to [`MAX_DOUBLINGS`] times.
const INITIAL_BACKOFF: Duration = Duration::from_millis(10);
const MAX_DOUBLINGS: u32 = 6;

/// The attempts of one call, and the deadline for them.
#[derive(Debug)]
pub(super) struct RetryBudget {
    deadline: Instant,
    attempts: u32,
}

impl RetryBudget {
    /// Starts a budget that ends at `deadline`, or after [`DEFAULT_TIMEOUT`].
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        Self { deadline: deadline.unwrap_or_else(|| Instant::now() + DEFAULT_TIMEOUT), attempts: 0 }
    }

    /// Makes one attempt. At the deadline it is abandoned with [`TableError::NoResponse`], and may still be carried
    /// out; after the deadline none is made.
    pub(super) async fn attempt<T>(
        &self,
        call: impl Future<Output = Result<T, TableError>>,
    ) -> Result<T, TableError> {
        if Instant::now() >= self.deadline {
            return Err(TableError::Closed("the deadline has passed".to_owned()));
        }
        match timeout_at(self.deadline, call).await {
            Ok(result) => result,
            Err(_) => Err(TableError::NoResponse("there was no response before the deadline".to_owned())),
        }
    }

    /// Pauses before another attempt: exponential backoff with full jitter, so that two conflicting calls do not
    /// collide again.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], with `reason`, if the pause would end after the deadline.
    pub(super) async fn back_off(&mut self, reason: String) -> Result<(), StoreError> {
        let max_pause = INITIAL_BACKOFF * (1 << self.attempts.min(MAX_DOUBLINGS));
        let pause =
            Duration::from_micros(fastrand::u64(0..u64::try_from(max_pause.as_micros()).unwrap_or(1)));
        if Instant::now() + pause >= self.deadline {
            return Err(StoreError::Unavailable(reason));
        }
        self.attempts += 1;
        sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short_budget() -> RetryBudget {
        RetryBudget::new(Some(Instant::now() + Duration::from_millis(30)))
    }

    #[tokio::test(start_paused = true)]
    async fn retries_stop_at_the_deadline() {
        let (mut budget, started) = (short_budget(), Instant::now());
        let error = loop {
            if let Err(error) = budget.back_off("busy".to_owned()).await {
                break error;
            }
        };
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(error, StoreError::Unavailable("busy".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn attempt_times_out_and_none_starts_after_deadline() {
        let budget = short_budget();
        let timed_out = budget.attempt(std::future::pending::<Result<(), TableError>>()).await;
        assert!(matches!(timed_out, Err(TableError::NoResponse(_))));
        let late =
            budget.attempt(async { panic!("an attempt started after the deadline") }).await as Result<(), _>;
        assert!(matches!(late, Err(TableError::Closed(_))));
    }
}
