//! The members of an image (`contract/glance.md` 2.1 to 2.4). Each change is made at once, without a job.
//!
//! Checks are in Glance's order, so that a caller gets the error that Glance would return: the body (400), whether the
//! image is visible (404) and shared (403), the member (404), the caller's permission (403), the value of a status
//! (400).

pub mod add;
mod error;
pub mod list;
pub mod remove;
pub mod show;
pub mod update;

use serde::Serialize;

use self::error::MemberAction;
use super::Error;
use crate::domain::{ImageId, MemberView, TenantId};
use crate::http::AuthenticatedRequest;

/// A member as Glance shows it.
#[derive(Debug, Serialize)]
struct MemberJson<'a> {
    member_id: &'a str,
    image_id: &'a str,
    status: &'static str,
    created_at: String,
    updated_at: String,
    schema: &'static str,
}

impl<'a> From<&'a MemberView> for MemberJson<'a> {
    fn from(member: &'a MemberView) -> Self {
        Self {
            member_id: member.tenant.as_str(),
            image_id: member.image.as_str(),
            status: member.status.as_str(),
            created_at: member.created.to_iso_seconds(),
            updated_at: member.updated.to_iso_seconds(),
            schema: "/v2/schemas/member",
        }
    }
}

/// The image of the path. A malformed id is not found, like an unknown one.
fn path_image(request: &AuthenticatedRequest) -> Result<ImageId, Error> {
    let text = request.path_parameter("image_id");
    text.parse().map_err(|_| error::image_not_found(text))
}

/// The image and the member of the path.
fn path_member(request: &AuthenticatedRequest) -> Result<(ImageId, TenantId), Error> {
    let (image, text) = (path_image(request)?, request.path_parameter("member_id"));
    let member = text.parse().map_err(|_| error::member_not_found(text, &image))?;
    Ok((image, member))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Status, Timestamp};

    #[test]
    fn glance_member_matches_the_contract() {
        let member = MemberView {
            image: "e04a6e73-bd92-485d-b422-1b29db8cf543".parse().unwrap(),
            tenant: "mem0mem0mem0mem0mem0mem0mem0mem0".parse().unwrap(),
            status: Status::Pending,
            accepted_by: None,
            decided: None,
            vault: None,
            created: Timestamp::from_unix_millis(1_730_874_600_778),
            updated: Timestamp::from_unix_millis(1_730_874_603_179),
        };
        assert_eq!(
            serde_json::to_value(MemberJson::from(&member)).unwrap(),
            serde_json::json!({
                "member_id": "mem0mem0mem0mem0mem0mem0mem0mem0",
                "image_id": "e04a6e73-bd92-485d-b422-1b29db8cf543", "status": "pending",
                "created_at": "2024-11-06T06:30:00Z", "updated_at": "2024-11-06T06:30:03Z",
                "schema": "/v2/schemas/member",
            })
        );
    }
}
