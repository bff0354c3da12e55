//! How long a call to the table is tried: until its request must be answered, or its worker must end. Then the caller is told
//! to come again, while there is still time to tell it.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::error::StoreError;
use crate::table::TableError;

/// How long a call is tried for somebody who has named no end.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(8);

/// The longest pause after the first attempt. It doubles with each one, up to [`MAX_DOUBLINGS`] times.
const INITIAL_BACKOFF: Duration = Duration::from_millis(10);
const MAX_DOUBLINGS: u32 = 6;

/// What is left of the time in which a call may be tried.
#[derive(Debug)]
pub(super) struct RetryBudget {
    deadline: Instant,
    attempts: u32,
}

impl RetryBudget {
    /// Before the first attempt.
    pub(super) fn new(deadline: Option<Instant>) -> Self {
        Self { deadline: deadline.unwrap_or_else(|| Instant::now() + DEFAULT_TIMEOUT), attempts: 0 }
    }

    /// Makes one attempt, which is given up when the time is over: then there was no answer, and what was asked may have been
    /// done. Where no time is left it is not made.
    pub(super) async fn attempt<T>(
        &self,
        call: impl Future<Output = Result<T, TableError>>,
    ) -> Result<T, TableError> {
        if Instant::now() >= self.deadline {
            return Err(TableError::Closed("no time is left".to_owned()));
        }
        match timeout_at(self.deadline, call).await {
            Ok(result) => result,
            Err(_) => Err(TableError::NoResponse("no answer came in time".to_owned())),
        }
    }

    /// Waits before another attempt, at random, so that two who met part.
    ///
    /// # Errors
    /// [`StoreError::UnavailableTable`] where there is no time for another one.
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
        let ended = loop {
            if let Err(problem) = budget.back_off("busy".to_owned()).await {
                break problem;
            }
        };
        assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
        assert_eq!(ended, StoreError::Unavailable("busy".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn attempt_times_out_and_none_starts_after_deadline() {
        let budget = short_budget();
        let never = budget.attempt(std::future::pending::<Result<(), TableError>>()).await;
        assert!(matches!(never, Err(TableError::NoResponse(_))));
        let late = budget.attempt(async { panic!("begun") }).await as Result<(), _>;
        assert!(matches!(late, Err(TableError::Closed(_))));
    }
}
