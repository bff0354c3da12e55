//! The one table from what is refused of grants to IMS's codes.

use http::StatusCode;

use crate::facade::ims::Error;
use crate::usecases::{GrantRefusal, Refusal};

impl From<GrantRefusal> for Error {
    fn from(refusal: GrantRefusal) -> Self {
        match refusal {
            GrantRefusal::ReadOnly => Refusal::ReadOnly.into(),
            GrantRefusal::OwnKey(tenant) => Self::bad_request(
                "IMG.0178",
                format!(
                    "project_id: {tenant} is your own project, which needs no grant. Give the recipient's."
                ),
            ),
            GrantRefusal::NotFound(tenant) => Self::new(
                StatusCode::NOT_FOUND,
                "IMG.0099",
                format!("Your project has not granted this key to {tenant}. Grant it with PUT."),
            ),
            GrantRefusal::List(refusal) => refusal.into(),
        }
    }
}
