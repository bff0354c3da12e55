//! `GET /v1/{project_id}/cloudimages/{image_id}/members` and `…/members/{member_id}`: the members of an image
//! (`contract/ims.md` 1.6). The owner sees every member, a member only itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde::Serialize;

use crate::domain::{AcceptedBy, ID_FORMAT, ImageId, MemberView, Status, TenantId, authorize_project};
use crate::http::{
    ApiError, AuthenticatedRequest, HttpResponse, Listing, PageInfo, Query, invalid_parameter, json_response,
    wrong_project,
};
use crate::usecases::{self, MemberCounts, MemberList};

/// The route of the list.
pub const LIST_ROUTE: &str = "GET /v1/{project_id}/cloudimages/{image_id}/members";

/// The route of one member.
pub const SHOW_ROUTE: &str = "GET /v1/{project_id}/cloudimages/{image_id}/members/{member_id}";

/// `?status=&limit=&marker=` in, `{"members":[…],"schema","page_info":{"next_marker","current_count","counts"}}` out;
/// `next_marker` only if there are more, and `counts` only if the page was made from all members.
pub async fn handle_list(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

/// One member out.
pub async fn handle_show(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let query = Query::parse(request.raw_query())?;
    query.ensure_only(&["status", "limit", "marker"])?;
    let status: Option<Status> = query.parse_value("status", Status::EXPECTED)?;
    let limit = query.limit()?;
    let image = path_image(request)?;
    let listing = Listing::new(LIST_ROUTE, request.caller()).with(image.as_str());
    let listing = status.iter().fold(listing, |listing, status| listing.with(status.as_str()));
    let after = query.text("marker").map(|text| decode_marker(&listing, text)).transpose()?;
    let (app, caller, range) = (&request.app, request.caller(), (after.as_ref(), limit));
    let list = usecases::list_members_by_status(app, caller, &image, status, range).await?;
    Ok(json_response(StatusCode::OK, &PageBody::new(&list, &listing, &caller.tenant)))
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let image = path_image(request)?;
    let member: TenantId = request
        .path_parameter("member_id")
        .parse()
        .map_err(|_| ApiError::bad_request("IMG.0067", format!("member_id: expected {ID_FORMAT}.")))?;
    let member = usecases::show_member(&request.app, request.caller(), &image, &member).await?;
    Ok(json_response(StatusCode::OK, &MemberJson::new(&member, &request.caller().tenant)))
}

/// The image of the path. Fails with 403 if the caller cannot read for the path's project.
fn path_image(request: &AuthenticatedRequest) -> Result<ImageId, ApiError> {
    let acting = &request.caller().tenant;
    match request.path_parameter("project_id").parse::<TenantId>() {
        Ok(named) => authorize_project(request.caller(), &named)?,
        Err(_) => return Err(wrong_project(acting, "the one in the path")),
    }
    request
        .path_parameter("image_id")
        .parse()
        .map_err(|_| ApiError::bad_request("IMG.0066", format!("image_id: expected {ID_FORMAT}.")))
}

/// The marker of a page: its last member, sealed, and in Base64 as in IMS.
fn encode_marker(listing: &Listing, member: &TenantId) -> String {
    URL_SAFE_NO_PAD.encode(listing.encode_marker(member))
}

fn decode_marker(listing: &Listing, text: &str) -> Result<TenantId, ApiError> {
    let decoded = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    decoded
        .and_then(|bytes| listing.decode_marker(std::str::from_utf8(&bytes).ok()?)?.parse().ok())
        .ok_or_else(|| invalid_parameter("marker", "next_marker of the page before"))
}

#[derive(Serialize)]
struct PageBody<'a> {
    members: Vec<MemberJson<'a>>,
    schema: &'static str,
    page_info: MemberPageInfo,
}

#[derive(Serialize)]
struct MemberPageInfo {
    #[serde(flatten)]
    page: PageInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<CountsJson>,
}

#[derive(Serialize)]
struct CountsJson {
    pending: usize,
    accepted: usize,
    rejected: usize,
}

impl From<MemberCounts> for CountsJson {
    fn from(MemberCounts { pending, accepted, rejected }: MemberCounts) -> Self {
        Self { pending, accepted, rejected }
    }
}

#[derive(Serialize)]
struct MemberJson<'a> {
    status: &'static str,
    created_at: String,
    updated_at: String,
    image_id: &'a str,
    member_id: &'a str,
    member_type: &'static str,
    schema: &'static str,
    /// The caller's policy by which it has accepted the image. No other caller learns of a tenant's policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_by: Option<&'static str>,
}

impl<'a> PageBody<'a> {
    fn new(MemberList { page, counts }: &'a MemberList, listing: &Listing, caller: &TenantId) -> Self {
        Self {
            members: page.items.iter().map(|member| MemberJson::new(member, caller)).collect(),
            schema: "/v2/schemas/members",
            page_info: MemberPageInfo {
                page: PageInfo {
                    next_marker: page.next.as_ref().map(|last| encode_marker(listing, last)),
                    current_count: page.items.len(),
                },
                counts: counts.map(CountsJson::from),
            },
        }
    }
}

impl<'a> MemberJson<'a> {
    fn new(member: &'a MemberView, caller: &TenantId) -> Self {
        let accepted_by = member.accepted_by.filter(|_| member.tenant == *caller);
        Self {
            status: member.status.as_str(),
            created_at: member.created.to_iso_seconds(),
            updated_at: member.updated.to_iso_seconds(),
            image_id: member.image.as_str(),
            member_id: member.tenant.as_str(),
            member_type: "project",
            schema: "/v2/schemas/member",
            accepted_by: accepted_by.map(AcceptedBy::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::http::fixtures;
    use crate::usecases::Page;

    fn listing(image: &str) -> Listing {
        Listing::new(LIST_ROUTE, &fixtures::caller("own1")).with(image)
    }

    fn member(tenant: &str) -> MemberView {
        MemberView {
            image: "i-1".parse().unwrap(),
            tenant: tenant.parse().unwrap(),
            status: Status::Pending,
            accepted_by: None,
            decided: None,
            vault: None,
            created: Timestamp::from_unix_millis(1_472_695_514_999),
            updated: Timestamp::from_unix_millis(1_472_695_515_000),
        }
    }

    #[test]
    fn ims_member_matches_the_contract() {
        assert_eq!(
            serde_json::to_value(MemberJson::new(&member("p-1"), &"p-1".parse().unwrap())).unwrap(),
            serde_json::json!({
                "status": "pending", "created_at": "2016-09-01T02:05:14Z", "updated_at": "2016-09-01T02:05:15Z",
                "image_id": "i-1", "member_id": "p-1", "member_type": "project", "schema": "/v2/schemas/member",
            })
        );
    }

    #[test]
    fn only_the_recipient_sees_its_policy() {
        let trusting = MemberView { accepted_by: Some(AcceptedBy::TrustedOwner), ..member("p-1") };
        let accepted_by = |caller: &str| {
            let wire = serde_json::to_value(MemberJson::new(&trusting, &caller.parse().unwrap())).unwrap();
            wire.get("accepted_by").cloned()
        };
        assert_eq!((accepted_by("p-1"), accepted_by("own1")), (Some("trusted_owner".into()), None));
    }

    #[test]
    fn page_has_next_marker_only_if_more_follow() {
        let listing = listing("i-1");
        let wire = |list: &MemberList| {
            serde_json::to_value(PageBody::new(list, &listing, &"p-1".parse().unwrap())).unwrap()["page_info"]
                .clone()
        };
        let members = vec![member("p-1"), member("p-2")];
        let mut list = MemberList { page: Page { items: members, next: None }, counts: None };
        assert_eq!(wire(&list), serde_json::json!({ "current_count": 2 }));
        list.counts = Some(MemberCounts { pending: 2, ..MemberCounts::default() });
        let counts = serde_json::json!({ "pending": 2, "accepted": 0, "rejected": 0 });
        assert_eq!(wire(&list), serde_json::json!({ "current_count": 2, "counts": counts }));
        list.page.next = Some("p-2".parse().unwrap());
        let marker = wire(&list)["next_marker"].as_str().unwrap().to_owned();
        assert_eq!(decode_marker(&listing, &marker).unwrap().as_str(), "p-2");
    }

    #[test]
    fn foreign_member_marker_is_rejected() {
        let of_another_image = encode_marker(&listing("i-2"), &"p-2".parse().unwrap());
        for bad in ["", "p 2", "%%%", "cCNx", "_w", "cC0y", &of_another_image] {
            let error = format!("{:?}", decode_marker(&listing("i-1"), bad));
            assert!(error.contains("marker: expected next_marker"), "{bad}");
        }
    }
}
