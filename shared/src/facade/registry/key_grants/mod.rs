//! Who may use which key of the caller's project (seed 003). The keys live in the cloud's key service; a grant here is what
//! lets an image under the key be shared.

pub mod dependents;
mod error;
pub mod list;
pub mod put;
pub mod show;
pub mod withdraw;

use serde::Serialize;

use crate::domain::{ID_FORM, KeyId, TenantId};
use crate::facade::ims::Error;
use crate::facade::marker::Listing;
use crate::facade::page::PageInfo;
use crate::function::Call;
use crate::store::Granted;
use crate::usecases::Dependents;

/// A grant as it is shown.
#[derive(Debug, Serialize)]
struct Wire<'a> {
    key_id: &'a str,
    project_id: &'a str,
    created_at: String,
}

impl<'a> Wire<'a> {
    fn new(key: &'a KeyId, grant: &'a Granted) -> Self {
        Self {
            key_id: key.as_str(),
            project_id: grant.tenant.as_str(),
            created_at: grant.created.to_seconds_text(),
        }
    }
}

/// The answer that is about one grant.
#[derive(Debug, Serialize)]
struct OneWire<'a> {
    grant: Wire<'a>,
}

/// The memberships that rely on a grant.
#[derive(Debug, Serialize)]
struct DependentsWire<'a> {
    memberships: Vec<MembershipWire<'a>>,
    page_info: PageInfo,
}

#[derive(Debug, Serialize)]
struct MembershipWire<'a> {
    image_id: &'a str,
    image_name: Option<&'a str>,
    project_id: &'a str,
    status: &'static str,
}

impl<'a> DependentsWire<'a> {
    fn new(tenant: &'a TenantId, dependents: &'a Dependents, listing: &Listing) -> Self {
        let membership =
            |(image, status): &'a (crate::domain::Image, crate::domain::Status)| MembershipWire {
                image_id: image.id.as_str(),
                image_name: image.details.name.as_deref(),
                project_id: tenant.as_str(),
                status: status.as_str(),
            };
        Self {
            memberships: dependents.memberships.iter().map(membership).collect(),
            page_info: PageInfo {
                next_marker: dependents.next.as_ref().map(|next| listing.write(next)),
                current_count: dependents.memberships.len(),
            },
        }
    }
}

/// The key of the path.
fn key_of_path(call: &Call) -> Result<KeyId, Error> {
    let id = call.path_parameter("key_id").parse();
    id.map_err(|_| Error::bad_request("IMG.0099", format!("key_id: expected {ID_FORM}.")))
}

/// The project of the path, to which the key is granted.
fn grantee_of_path(call: &Call) -> Result<TenantId, Error> {
    let id = call.path_parameter("project_id").parse();
    id.map_err(|_| Error::bad_request("IMG.0067", format!("project_id: expected {ID_FORM}.")))
}
