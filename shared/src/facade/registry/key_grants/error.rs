//! The one table from errors of key grants to codes of IMS.

use http::StatusCode;

use crate::http::ApiError;
use crate::usecases::KeyGrantError;

impl From<KeyGrantError> for ApiError {
    fn from(error: KeyGrantError) -> Self {
        match error {
            KeyGrantError::Denied(denied) => denied.into(),
            KeyGrantError::OwnerIsRecipient(tenant) => Self::bad_request(
                "IMG.0178",
                format!(
                    "project_id: {tenant} is your own project, which needs no grant. Give the recipient's."
                ),
            ),
            KeyGrantError::NotFound(tenant) => Self::new(
                StatusCode::NOT_FOUND,
                "IMG.0099",
                format!("Your project has not granted this key to {tenant}. Grant it with PUT."),
            ),
            KeyGrantError::UseCase(error) => error.into(),
        }
    }
}
