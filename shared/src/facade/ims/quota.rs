//! `GET /v1/cloudimages/quota`: usage and limits of the caller's project (`contract/ims.md` 1.6).
//!
//! * `image` and `image_pending` are counted, and limited per project.
//! * `image_shared` has no limit (seed 002), which IMS writes as -1. It counts the images of others that the project
//!   has accepted.
//! * `image_member` and `image_member_full_ecs` are limits per image, and `image_pending_of_owner` is a limit per
//!   owner, so their `used` is 0. An image's member list has its member count.
//!
//! Images of others are counted up to 1,000; for more, `used` is 1,000. IMS does not have `image_member_full_ecs` and
//! the two types of pending images, so they come after its own.

use http::StatusCode;
use serde::Serialize;

use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases::{self, Quota};

/// The operation's route.
pub const ROUTE: &str = "GET /v1/cloudimages/quota";

const UNLIMITED: i64 = -1;

/// `{"quotas":{"resources":[{"type","used","quota","min","max"},…]}}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    quota(request).await.unwrap_or_else(ApiError::into_response)
}

async fn quota(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let quota = usecases::quota(&request.app, request.caller()).await?;
    let quotas = serde_json::json!({ "quotas": { "resources": resources(&quota) } });
    Ok(json_response(StatusCode::OK, &quotas))
}

#[derive(Serialize)]
struct Resource {
    r#type: &'static str,
    used: usize,
    quota: i64,
    min: u32,
    max: i64,
}

fn resources(quota: &Quota) -> [Resource; 6] {
    // All tenants of a deployment have the same limits, so the maximum of a quota is its value.
    let resource = |r#type, used, quota| Resource { r#type, used, quota, min: 1, max: quota };
    let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    [
        resource("image", count(quota.images), quota.max_images.into()),
        resource("image_shared", quota.accepted_images, UNLIMITED),
        resource("image_member", 0, quota.max_members_per_image.into()),
        resource("image_member_full_ecs", 0, quota.max_members_per_full_ecs_image.into()),
        resource("image_pending", quota.pending_images, quota.max_pending_images.into()),
        resource("image_pending_of_owner", 0, quota.max_pending_per_owner.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quota_reports_usage_and_limit() {
        let quota = Quota {
            images: 3,
            max_images: 50,
            accepted_images: 700,
            pending_images: 7,
            max_pending_images: 100,
            max_pending_per_owner: 20,
            max_members_per_image: 256,
            max_members_per_full_ecs_image: 10,
        };
        assert_eq!(
            serde_json::to_value(resources(&quota)).unwrap(),
            serde_json::json!([
                { "type": "image", "used": 3, "quota": 50, "min": 1, "max": 50 },
                { "type": "image_shared", "used": 700, "quota": -1, "min": 1, "max": -1 },
                { "type": "image_member", "used": 0, "quota": 256, "min": 1, "max": 256 },
                { "type": "image_member_full_ecs", "used": 0, "quota": 10, "min": 1, "max": 10 },
                { "type": "image_pending", "used": 7, "quota": 100, "min": 1, "max": 100 },
                { "type": "image_pending_of_owner", "used": 0, "quota": 20, "min": 1, "max": 20 },
            ])
        );
    }
}
