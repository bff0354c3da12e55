//! `GET /v1/cloudimages/quota`: what the caller's project may have, and has (`contract/ims.md` 1.6).
//!
//! The three types are of different kinds. `image` is counted: `used` of `quota`. `image_shared` is counted but has no
//! limit, which IMS writes as -1. `image_member` is a limit of each image by itself, so nothing is used of it as a whole:
//! `used` is 0, and the members of an image tell how many it has.

use http::StatusCode;
use serde::Serialize;

use super::Error;
use super::error::no_body;
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases::{self, Quota};

/// The operation's route.
pub const ROUTE: &str = "GET /v1/cloudimages/quota";

const UNLIMITED: i64 = -1;

/// `{"quotas":{"resources":[{"type","used","quota","min","max"},…]}}` out.
pub async fn answer(call: &Call) -> Reply {
    quota(call).await.unwrap_or_else(Error::into_reply)
}

async fn quota(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let quota = usecases::quota(&call.service, call.caller()).await?;
    let quotas = serde_json::json!({ "quotas": { "resources": resources(&quota) } });
    Ok(json(StatusCode::OK, &quotas))
}

#[derive(Serialize)]
struct Resource {
    r#type: &'static str,
    used: usize,
    quota: i64,
    min: u32,
    max: i64,
}

fn resources(quota: &Quota) -> [Resource; 3] {
    // A deployment sets its limits for all tenants alike, so the most that a quota can be is what it is.
    let resource = |r#type, used, quota| Resource { r#type, used, quota, min: 1, max: quota };
    let owned = usize::try_from(quota.images).unwrap_or(usize::MAX);
    [
        resource("image", owned, quota.most_images.into()),
        resource("image_shared", quota.accepted_images, UNLIMITED),
        resource("image_member", 0, quota.most_members_per_image.into()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_says_what_is_used_and_what_is_allowed() {
        let quota = Quota { images: 3, most_images: 50, accepted_images: 700, most_members_per_image: 256 };
        assert_eq!(
            serde_json::to_value(resources(&quota)).unwrap(),
            serde_json::json!([
                { "type": "image", "used": 3, "quota": 50, "min": 1, "max": 50 },
                { "type": "image_shared", "used": 700, "quota": -1, "min": 1, "max": -1 },
                { "type": "image_member", "used": 0, "quota": 256, "min": 1, "max": 256 },
            ])
        );
    }
}
