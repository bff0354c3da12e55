//! When a call is tried again, and after which pause.
//!
//! The service says with 429 and 503 that it was too busy, often with `Retry-After`, and with one kind of 409 that others
//! changed the same thing at that moment. A gateway in front of it is too busy with 502 and 504. The pauses double, with jitter, so that clients that failed together do not come back together;
//! `Retry-After` is the least pause. A call ends with its error when the retries are used up, or when the pause would
//! pass its deadline.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};

/// How often and how fast a call is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// The number of retries.
    pub max_retries: u32,
    /// The pause before the first retry; it doubles with each.
    pub first_pause: Duration,
    /// The longest pause, unless `Retry-After` is longer.
    pub max_pause: Duration,
}

impl Default for RetryPolicy {
    /// Eight retries: they last some 20 to 35 seconds, longer than a deployment of the service or a burst of requests.
    fn default() -> Self {
        Self { max_retries: 8, first_pause: Duration::from_millis(250), max_pause: Duration::from_secs(10) }
    }
}

impl RetryPolicy {
    /// The pause before a retry, the first one being 0. `random` is between 0 and 1.
    pub(super) fn pause(&self, retry: u32, retry_after: Option<Duration>, random: f64) -> Duration {
        let doubled = self.first_pause.saturating_mul(1_u32.checked_shl(retry).unwrap_or(u32::MAX));
        let pause = doubled.min(self.max_pause);
        let jittered = pause.mul_f64(0.5 + 0.5 * random.clamp(0.0, 1.0));
        match retry_after {
            // Clients that were told the same time are spread over the jitter that follows it.
            Some(least) if least > jittered => least + self.first_pause.mul_f64(random.clamp(0.0, 1.0)),
            _ => jittered,
        }
    }
}

/// Whether a response says that the same request may succeed later.
pub(super) fn is_retryable(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// The time in `Retry-After`: seconds, or an HTTP date.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let time = httpdate::parse_http_date(text).ok()?;
    Some(time.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_doubles_up_to_its_limit() {
        let policy = RetryPolicy::default();
        let pauses: Vec<u128> = (0..8).map(|retry| policy.pause(retry, None, 1.0).as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
        assert_eq!(policy.pause(0, None, 0.0), Duration::from_millis(125));
        assert_eq!(policy.pause(400, None, 1.0), Duration::from_secs(10));
    }

    #[test]
    fn retries_outlast_ten_seconds() {
        let policy = RetryPolicy::default();
        let least: Duration = (0..policy.max_retries).map(|retry| policy.pause(retry, None, 0.0)).sum();
        assert!(least > Duration::from_secs(10), "{least:?}");
    }

    #[test]
    fn retry_after_is_the_least_pause() {
        let policy = RetryPolicy::default();
        let told = Some(Duration::from_secs(7));
        assert!(policy.pause(0, told, 0.0) >= Duration::from_secs(7));
        assert!(policy.pause(0, told, 1.0) > policy.pause(0, told, 0.0));
        assert_eq!(policy.pause(6, told, 1.0), Duration::from_secs(10));
    }

    #[test]
    fn retry_after_is_read_as_seconds_or_date() {
        let read = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().expect("a value"))]);
            retry_after(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
        };
        assert_eq!(read("3"), Some(Duration::from_secs(3)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:47 GMT"), Some(Duration::from_secs(10)));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
