//! `DescribeImagePermission` of ECD and `DescribeImageSharePermission` of ECS: list the accounts that an image is
//! shared with, whatever their status (`contract/alibaba.md` 3.3 and 3.4). The owner sees all, a recipient only itself.

use serde_json::{Value, json};

use super::envelope::ActionOutput;
use super::{Error, Parameters};
use crate::domain::{ImageId, MemberView};
use crate::http::AuthenticatedRequest;
use crate::usecases;

/// `ImageId` in, `AliUids` out.
pub(super) async fn handle(
    request: &AuthenticatedRequest,
    parameters: &Parameters,
) -> Result<ActionOutput, Error> {
    let members = all_members(request, &parameters.image_id()?).await?;
    let accounts: Vec<_> = members.iter().map(|member| member.tenant.as_str()).collect();
    Ok(json!({ "AliUids": accounts }).into())
}

/// `ImageId`, `PageNumber`, `PageSize` in; `Accounts`, `TotalCount`, and the page's number and size out.
pub(super) async fn handle_paged(
    request: &AuthenticatedRequest,
    parameters: &Parameters,
) -> Result<ActionOutput, Error> {
    let image = parameters.image_id()?;
    let page = parameters.number("PageNumber", (1, 1_000_000), 1)?;
    let size = parameters.number("PageSize", (1, 100), 10)?;
    let members = all_members(request, &image).await?;
    Ok(json!({
        "ImageId": image.as_str(),
        "RegionId": request.app.settings.region,
        "PageNumber": page,
        "PageSize": size,
        "TotalCount": members.len(),
        "Accounts": { "Account": account_page(&members, page, size) },
        "ShareGroups": { "ShareGroup": [] },
    })
    .into())
}

/// All members of an image: responses have their count, and the recipient limit bounds it. Usually one query.
async fn all_members(request: &AuthenticatedRequest, image: &ImageId) -> Result<Vec<MemberView>, Error> {
    let limit = usize::try_from(request.app.settings.limits.members_per_image).unwrap_or(usize::MAX);
    let mut members = Vec::new();
    loop {
        let after = members.last().map(|last: &MemberView| last.tenant.clone());
        let page =
            usecases::list_members(&request.app, request.caller(), image, after.as_ref(), limit).await?;
        members.extend(page.items);
        if page.next.is_none() {
            return Ok(members);
        }
    }
}

fn account_page(members: &[MemberView], page: usize, size: usize) -> Vec<Value> {
    let account = |member: &MemberView| json!({ "AliyunId": member.tenant.as_str(), "SharedTime": member.created.to_iso_seconds() });
    members.iter().skip((page - 1) * size).take(size).map(account).collect()
}
