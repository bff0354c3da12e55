//! The one table from errors of vaults to codes of IMS.

use http::StatusCode;

use crate::http::ApiError;
use crate::usecases::VaultError;

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Denied(denied) => denied.into(),
            VaultError::NotFound(id) => Self::new(
                StatusCode::NOT_FOUND,
                "IMG.0184",
                format!("Your project has no vault {id}. Register it first: PUT /v1/vaults/{id}."),
            ),
            VaultError::InUse(id) => Self::new(
                StatusCode::CONFLICT,
                "IMG.0182",
                format!(
                    "Vault {id} has more capacity reserved than would be left. Reject the full-ECS images that were accepted into it, or accept them into another."
                ),
            ),
            VaultError::Store(problem) => problem.into(),
        }
    }
}
