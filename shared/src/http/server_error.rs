//! What a caller is told of a fault that is not its own: the same in every facade, and nothing of what is inside.

use http::StatusCode;

use crate::domain::ImageId;
use crate::store::StoreError;
use crate::table::StorageFault;

/// Logs that the table failed. Returns the status, code and message for the caller.
pub(crate) fn for_store_error(problem: &StoreError) -> (StatusCode, &'static str, &'static str) {
    tracing::error!(%problem, "the table failed");
    match problem {
        StoreError::Unavailable(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "IMG.0060",
            "The service is busy, and this request has changed nothing. Try again in a second.",
        ),
        StoreError::InDoubt(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "IMG.0060",
            "The service is busy and did not finish in time: this request may have been carried out, wholly or in part. Look before you send it again, in a second; with the same Idempotency-Key it may be sent again at once.",
        ),
        StoreError::Storage { fault, .. } => {
            (StatusCode::INTERNAL_SERVER_ERROR, "IMG.0061", storage_message(*fault))
        }
        StoreError::Refused(_) | StoreError::Unreadable(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "IMG.0061",
            "Unknown system error. Tell the operator the request id.",
        ),
    }
}

/// What a caller is told of storage that an operator has to mend: to try again is of no use.
fn storage_message(fault: StorageFault) -> &'static str {
    match fault {
        StorageFault::Full => {
            "The service's disk is full, so nothing can be stored, and this request was not. Tell the operator, who has to make room."
        }
        StorageFault::Damaged => {
            "The service's database is damaged. Trying again does not help: tell the operator, who has to restore it."
        }
        StorageFault::Missing => {
            "The service's database was removed. Trying again does not help: tell the operator, who has to restore it."
        }
        StorageFault::Failing => {
            "The service's disk fails, and this request was not carried out. Trying again does not help: tell the operator."
        }
    }
}

/// Logs that a token's issuer cannot be asked. Returns the status, code and message for the caller.
pub(crate) fn for_issuer_error(problem: &str) -> (StatusCode, &'static str, &'static str) {
    tracing::error!(problem, "a token cannot be checked");
    let message = "The token cannot be checked, since its issuer does not answer. Try again in a second.";
    (StatusCode::SERVICE_UNAVAILABLE, "IMG.0060", message)
}

/// What is said to a caller whose earlier request, or whose owner's, is not carried out yet.
pub(crate) fn in_progress_message(id: &ImageId) -> String {
    format!("An earlier request to share or unshare image {id} is being carried out. Try again in a second.")
}
