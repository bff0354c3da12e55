//! The one table from errors of owner policies to codes of IMS.

use http::StatusCode;

use crate::http::ApiError;
use crate::usecases::OwnerPolicyError;

impl From<OwnerPolicyError> for ApiError {
    fn from(error: OwnerPolicyError) -> Self {
        match error {
            OwnerPolicyError::Denied(denied) => denied.into(),
            OwnerPolicyError::OwnProject(tenant) => Self::bad_request(
                "IMG.0178",
                format!("project_id: {tenant} is your own project. Give that of another owner."),
            ),
            OwnerPolicyError::NoVault(vault) => Self::bad_request(
                "IMG.0184",
                format!(
                    "vault_id: your project has no vault {vault}. Register it first (PUT /v1/vaults/{vault}), or leave vault_id out."
                ),
            ),
            OwnerPolicyError::LimitReached(limit) => Self::new(
                StatusCode::CONFLICT,
                "IMG.0088",
                format!("Your project has policies on {limit} owners, the most allowed. Remove one first."),
            ),
            OwnerPolicyError::NotFound(owner) => Self::new(
                StatusCode::NOT_FOUND,
                "IMG.0121",
                format!("Your project has no policy on {owner}. Set one: PUT /v1/owners/{owner}."),
            ),
            OwnerPolicyError::Store(problem) => problem.into(),
        }
    }
}
