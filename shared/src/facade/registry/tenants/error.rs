//! The one table from errors of the directory to codes of IMS.

use http::StatusCode;

use crate::domain::{Denied, ResolveError};
use crate::http::{ApiError, unresolved_names};
use crate::usecases::DirectoryError;

impl From<DirectoryError> for ApiError {
    fn from(error: DirectoryError) -> Self {
        use StatusCode as S;
        match error {
            DirectoryError::Denied(Denied::AdminOnly(role)) => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                format!(
                    "Only the role admin may do this; your role here is {}. To find a tenant, give its exact names: \
                     GET /v1/tenants?account=ACCOUNT&project=PROJECT.",
                    role.name()
                ),
            ),
            DirectoryError::Denied(denied) => denied.into(),
            DirectoryError::NotFound(tenant) => Self::new(
                S::NOT_FOUND,
                "IMG.0108",
                format!(
                    "Tenant {tenant} is not in the directory. Check its id; an admin enters it with PUT."
                ),
            ),
            DirectoryError::NamesTaken(tenant) => Self::new(
                S::CONFLICT,
                "IMG.0031",
                format!(
                    "account, project: tenant {tenant} has these names. Rename or delete that one first."
                ),
            ),
            DirectoryError::CloudAccountTaken(tenant) => Self::new(
                S::CONFLICT,
                "IMG.0031",
                format!("cloud_account: tenant {tenant} is bound to it. Take it from that one first."),
            ),
            DirectoryError::Unresolved(problem) => {
                let status = if problem == ResolveError::Unknown { S::NOT_FOUND } else { S::BAD_REQUEST };
                unresolved_names(status, "account, project", problem)
            }
            DirectoryError::Conflict(tenant) => Self::new(
                S::CONFLICT,
                "IMG.0031",
                format!("Tenant {tenant} is being changed by others. Try again."),
            ),
            DirectoryError::Store(problem) => Self::from(problem),
        }
    }
}
