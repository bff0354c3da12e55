//! How long a call to the table is tried: until its request must be answered, or its worker must end. Then the caller is told
//! to come again, while there is still time to tell it.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::StoreError;
use crate::table::Failure;

/// How long a call is tried for somebody who has named no end.
const UNLIMITED: Duration = Duration::from_secs(8);

/// The longest pause after the first attempt. It doubles with each one, up to [`DOUBLINGS`] times.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const DOUBLINGS: u32 = 6;

/// What is left of the time in which a call may be tried.
#[derive(Debug)]
pub(super) struct Patience {
    until: Instant,
    attempts: u32,
}

impl Patience {
    /// Before the first attempt.
    pub(super) fn new(until: Option<Instant>) -> Self {
        Self { until: until.unwrap_or_else(|| Instant::now() + UNLIMITED), attempts: 0 }
    }

    /// Makes one attempt, which is given up when the time is over: then there was no answer, and what was asked may have been
    /// done. Where no time is left it is not made.
    pub(super) async fn attempt<T>(
        &self,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        if Instant::now() >= self.until {
            return Err(Failure::Closed("no time is left".to_owned()));
        }
        match timeout_at(self.until, call).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::NoAnswer("no answer came in time".to_owned())),
        }
    }

    /// Waits before another attempt, at random, so that two who met part.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where there is no time for another one.
    pub(super) async fn pause(&mut self, reason: String) -> Result<(), StoreError> {
        let most = FIRST_PAUSE * (1 << self.attempts.min(DOUBLINGS));
        let pause = Duration::from_micros(fastrand::u64(0..u64::try_from(most.as_micros()).unwrap_or(1)));
        if Instant::now() + pause >= self.until {
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

    fn soon() -> Patience {
        Patience::new(Some(Instant::now() + Duration::from_millis(30)))
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_an_end_to_pauses() {
        let (mut patience, begun) = (soon(), Instant::now());
        let ended = loop {
            if let Err(problem) = patience.pause("busy".to_owned()).await {
                break problem;
            }
        };
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!(ended, StoreError::Unavailable("busy".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_ends_in_time_and_none_begins_later() {
        let patience = soon();
        let never = patience.attempt(std::future::pending::<Result<(), Failure>>()).await;
        assert!(matches!(never, Err(Failure::NoAnswer(_))));
        let late = patience.attempt(async { panic!("begun") }).await as Result<(), _>;
        assert!(matches!(late, Err(Failure::Closed(_))));
    }
}
