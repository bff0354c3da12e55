//! The one table from errors of messages to codes of IMS.

use std::time::Duration;

use http::StatusCode;

use crate::http::{ApiError, invalid_parameter};
use crate::usecases::MessageError;

/// When to try again to wait. Half of the longest wait: by then, a request that waits now has ended, on average.
const WAIT_RETRY: Duration = Duration::from_secs(10);

impl From<MessageError> for ApiError {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Denied(denied) => denied.into(),
            MessageError::NotFound => Self::new(
                StatusCode::NOT_FOUND,
                "IMG.0121",
                "Your project has no such message. Messages are kept for 90 days. GET /v1/messages lists them.",
            ),
            MessageError::CannotWait => invalid_parameter(
                "wait",
                "no value, because no request can wait here: ask again later instead",
            ),
            MessageError::TooManyWaiting(_) => Self {
                retry_after: Some(WAIT_RETRY),
                ..Self::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "IMG.0060",
                    "Too many requests are waiting, of your project or in all. Ask without wait, or again after the time in Retry-After.",
                )
            },
            MessageError::Store(problem) => problem.into(),
        }
    }
}
