//! The one table from what the directory refuses to IMS's codes.

use http::StatusCode;

use crate::domain::Unresolved;
use crate::facade::ims::{Error, unresolved};
use crate::usecases::DirectoryRefusal;

impl From<DirectoryRefusal> for Error {
    fn from(refusal: DirectoryRefusal) -> Self {
        use StatusCode as S;
        match refusal {
            DirectoryRefusal::AdminOnly(role) => Self::new(
                S::FORBIDDEN,
                "IMG.0026",
                format!(
                    "Only the role admin may do this; your role here is {}. To find a tenant, give its exact names: \
                     GET /v1/tenants?account=ACCOUNT&project=PROJECT.",
                    role.name()
                ),
            ),
            DirectoryRefusal::NotFound(tenant) => Self::new(
                S::NOT_FOUND,
                "IMG.0108",
                format!("Tenant {tenant} is not in the directory. PUT it there, or check its id."),
            ),
            DirectoryRefusal::NamesTaken(tenant) => Self::new(
                S::CONFLICT,
                "IMG.0031",
                format!(
                    "account, project: tenant {tenant} has these names. Rename or delete that one first."
                ),
            ),
            DirectoryRefusal::Unresolved(problem) => {
                let status = if problem == Unresolved::Unknown { S::NOT_FOUND } else { S::BAD_REQUEST };
                unresolved(status, "account, project", problem)
            }
            DirectoryRefusal::Contended(tenant) => Self::new(
                S::CONFLICT,
                "IMG.0031",
                format!("Tenant {tenant} is being changed by others. Try again."),
            ),
            DirectoryRefusal::Store(problem) => Self::from(problem),
        }
    }
}
