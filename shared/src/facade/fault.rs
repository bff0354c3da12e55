//! What a caller is told of a fault that is not its own: the same in every facade, and nothing of what is inside.

use http::StatusCode;

use crate::domain::ImageId;
use crate::store::StoreError;

/// Logs that the table failed. Returns the status, code and message for the caller.
pub(super) fn of_store(problem: &StoreError) -> (StatusCode, &'static str, &'static str) {
    tracing::error!(%problem, "the table failed");
    match problem {
        StoreError::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "IMG.0060",
            "The service is busy and has changed nothing that it has not acknowledged. Try again in a second.",
        ),
        StoreError::Refused(_) | StoreError::Unreadable(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "IMG.0061",
            "Unknown system error. Tell the operator the request id.",
        ),
    }
}

/// Logs that a token's issuer cannot be asked. Returns the status, code and message for the caller.
pub(super) fn of_issuer(problem: &str) -> (StatusCode, &'static str, &'static str) {
    tracing::error!(problem, "a token cannot be checked");
    let message = "The token cannot be checked, since its issuer does not answer. Try again in a second.";
    (StatusCode::SERVICE_UNAVAILABLE, "IMG.0060", message)
}

/// What is said to a caller whose earlier request, or whose owner's, is not carried out yet.
pub(super) fn in_progress(id: &ImageId) -> String {
    format!("An earlier request to share or unshare image {id} is being carried out. Try again in a second.")
}
