//! The messages of errors that are not the caller's fault: the same in every facade, without internal details.

use http::StatusCode;

use super::unready::Unready;
use crate::domain::ImageId;
use crate::store::StoreError;
use crate::table::StorageFault;

/// Logs a failure of the table, and returns the status, code and message for the caller.
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
            "The service is busy and did not finish in time: this request may have been executed, in whole or in part. Check before you send it again; with the same Idempotency-Key you can send it again at once.",
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

/// The message for a storage fault that an operator has to repair, so that a retry does not help.
fn storage_message(fault: StorageFault) -> &'static str {
    match fault {
        StorageFault::Full => {
            "The service's disk is full, so this request was not stored. Tell the operator to free space."
        }
        StorageFault::Damaged => {
            "The service's database is damaged. Retrying does not help. Tell the operator to restore it."
        }
        StorageFault::Missing => {
            "The service's database was removed. Retrying does not help. Tell the operator to restore it."
        }
        StorageFault::Failing => {
            "The service's disk is failing, and this request was not executed. Retrying does not help. Tell the operator."
        }
    }
}

/// Logs that a token's issuer cannot be reached, and returns the status, code and message for the caller.
pub(crate) fn for_issuer_error(problem: &str) -> (StatusCode, &'static str, &'static str) {
    tracing::error!(problem, "a token cannot be checked");
    let message = "The token cannot be checked, since its issuer does not respond. Try again in a second.";
    (StatusCode::SERVICE_UNAVAILABLE, "IMG.0060", message)
}

/// Logs that the function cannot handle a request, and returns the status, code and message for the caller.
pub(crate) fn for_unready(unready: &Unready) -> (StatusCode, &'static str, &'static str) {
    tracing::error!(problem = unready.0, "the function is not ready");
    let message = "The service is not ready: its deployment is incomplete. Try again later. GET /health names what it lacks.";
    (StatusCode::SERVICE_UNAVAILABLE, "IMG.0060", message)
}

/// The message for a request that has waited too long for an earlier job on the image.
pub(crate) fn in_progress_message(id: &ImageId) -> String {
    format!("An earlier request to share or unshare image {id} is still in progress. Try again in a second.")
}
