//! The deadline of a request: early enough that the response still reaches the client.

use std::time::{Duration, SystemTime};

use lambda_http::Context;
use tokio::time::Instant;

/// The timeout of the API gateway.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(29);

/// The time kept for sending the response.
const RESPONSE_MARGIN: Duration = Duration::from_millis(500);

/// Returns the deadline of an HTTP request that starts now: before the gateway's timeout, and before Lambda's if that
/// is known and earlier.
pub fn http_deadline(context: Option<&Context>) -> Instant {
    let gateway_deadline = Instant::now() + GATEWAY_TIMEOUT - RESPONSE_MARGIN;
    context.map_or(gateway_deadline, |context| gateway_deadline.min(lambda_deadline(context)))
}

/// Returns the deadline of an event: before Lambda ends the function.
pub fn lambda_deadline(context: &Context) -> Instant {
    let left = context.deadline().duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(RESPONSE_MARGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(left: Duration) -> Context {
        let end = (SystemTime::now() + left).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let mut context = Context::default();
        context.deadline = u64::try_from(end.as_millis()).unwrap();
        context
    }

    #[test]
    fn deadline_precedes_lambda_and_gateway_timeouts() {
        let left =
            |context: Option<&Context>| http_deadline(context).duration_since(Instant::now()).as_secs_f64();
        assert!((left(Some(&context(Duration::from_secs(10)))) - 9.5).abs() < 0.1);
        assert!((left(Some(&context(Duration::from_mins(15)))) - 28.5).abs() < 0.1);
        assert!((left(None) - 28.5).abs() < 0.1);
        assert!(left(Some(&context(Duration::ZERO))) < 0.1);
        let left = lambda_deadline(&context(Duration::from_mins(1))).duration_since(Instant::now());
        assert!((left.as_secs_f64() - 59.5).abs() < 0.1);
    }
}
