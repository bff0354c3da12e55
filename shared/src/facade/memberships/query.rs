//! `POST /v1/{project_id}/memberships/query`: read many memberships in one request. A POST because a thousand ids do
//! not fit into a URL; it changes nothing.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::{Map, Value};

use super::view::MembershipJson;
use crate::domain::{Audience, MAX_NAMES_PER_QUERY, Status, TenantId, UnknownValue, authorize_project};
use crate::http::id_array::parse_ids;
use crate::http::object_body::parse_object;
use crate::http::{
    ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, invalid_parameter, json_response,
    wrong_project,
};
use crate::usecases::{self, MembershipPosition, MembershipQuery};

/// The operation's route.
pub const ROUTE: &str = "POST /v1/{project_id}/memberships/query";

/// The most memberships of a page.
const MAX_LIMIT: usize = 1_000;

/// `{"role":"owner","images":[…],"projects":[…],"status":[…],"limit":…,"marker":"…"}` in, or with the role `recipient`
/// and `owners` in place of `projects`; all of it optional. `{"memberships":[…],"page_info":{"next_marker",
/// "current_count"}}` out; `next_marker` only if there may be more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    query(request).await.unwrap_or_else(ApiError::into_response)
}

async fn query(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.check_read_rate()?;
    let project = path_project(request)?;
    let QueryRequest { query, limit, marker } = QueryRequest::parse(project, request.body())?;
    let listing = listing(request, &query);
    let after = marker.map(|marker| parse_marker(&listing, &marker)).transpose()?;
    let page = usecases::query_memberships(&request.app, request.caller(), &query, after, limit).await?;
    let body = PageBody::new("memberships", &page, &listing, |membership| {
        MembershipJson::new(membership, query.side)
    });
    Ok(json_response(StatusCode::OK, &body))
}

/// The project of the path. Fails with 403 if the caller cannot read for it.
fn path_project(request: &AuthenticatedRequest) -> Result<TenantId, ApiError> {
    let caller = request.caller();
    let project = request.path_parameter("project_id").parse();
    let project: TenantId = project.map_err(|_| wrong_project(&caller.tenant, "the one in the path"))?;
    authorize_project(caller, &project)?;
    Ok(project)
}

/// Identifies the query, for its markers: they are valid for the same query only.
fn listing(request: &AuthenticatedRequest, query: &MembershipQuery) -> Listing {
    let listing =
        Listing::new(ROUTE, request.caller()).with(query.project.as_str()).with(query.side.as_str());
    let images = query.images.iter().flatten().map(|image| ("image", image.as_str()));
    let counterparts = query.counterparts.iter().flatten().map(|tenant| ("tenant", tenant.as_str()));
    let statuses = query.statuses.iter().map(|status| ("status", status.as_str()));
    let parts = images.chain(counterparts).chain(statuses);
    parts.fold(listing, |listing, (name, value)| listing.with(name).with(value))
}

fn parse_marker(listing: &Listing, marker: &str) -> Result<MembershipPosition, ApiError> {
    let position = listing.decode_marker(marker).and_then(|position| position.parse().ok());
    position.ok_or_else(|| invalid_parameter("marker", "next_marker of the page before"))
}

#[derive(Debug, PartialEq, Eq)]
struct QueryRequest {
    query: MembershipQuery,
    limit: usize,
    marker: Option<String>,
}

impl QueryRequest {
    fn parse(project: TenantId, body: &[u8]) -> Result<Self, ApiError> {
        let names = ["role", "images", "projects", "owners", "status", "limit", "marker"];
        let mut body = parse_object(body, &names)?;
        body.retain(|_, value| !value.is_null());
        let side = match body.get("role") {
            None => Audience::Owner,
            Some(role) => {
                let role = role.as_str().unwrap_or_default().parse();
                role.map_err(|UnknownValue(expected)| invalid_parameter("role", expected))?
            }
        };
        let query = MembershipQuery {
            project,
            side,
            images: body.get("images").map(|images| id_set("images", "IMG.0066", images)).transpose()?,
            counterparts: parse_counterparts(&body, side)?,
            statuses: parse_statuses(body.get("status"))?,
        };
        Ok(Self { query, limit: parse_limit(body.get("limit"))?, marker: parse_text(&body, "marker")? })
    }
}

/// Parses the tenants on the other side: `projects` for an owner, `owners` for a recipient.
fn parse_counterparts(
    body: &Map<String, Value>,
    side: Audience,
) -> Result<Option<BTreeSet<TenantId>>, ApiError> {
    let (field, other, other_side) = match side {
        Audience::Owner => ("projects", "owners", Audience::Recipient),
        Audience::Recipient => ("owners", "projects", Audience::Owner),
    };
    if body.contains_key(other) {
        return Err(invalid_parameter(other, format_args!("it only with the role \"{other_side}\"")));
    }
    body.get(field).map(|tenants| id_set(field, "IMG.0067", tenants)).transpose()
}

fn id_set<T: std::str::FromStr + Clone + Eq + std::hash::Hash + Ord>(
    field: &str,
    code: &'static str,
    value: &Value,
) -> Result<BTreeSet<T>, ApiError> {
    Ok(parse_ids(field, code, Some(value), MAX_NAMES_PER_QUERY)?.into_iter().collect())
}

/// Parses the statuses; without the member, all of them.
fn parse_statuses(value: Option<&Value>) -> Result<BTreeSet<Status>, ApiError> {
    let Some(value) = value else { return Ok(Status::ALL.into()) };
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let statuses = value.as_array().filter(|statuses| !statuses.is_empty());
    let statuses: Option<_> = statuses.and_then(|statuses| statuses.iter().map(parse).collect());
    statuses
        .ok_or_else(|| invalid_parameter("status", format_args!("an array of some of {}", Status::EXPECTED)))
}

fn parse_limit(value: Option<&Value>) -> Result<usize, ApiError> {
    let Some(value) = value else { return Ok(MAX_LIMIT) };
    let limit = value.as_u64().and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| invalid_parameter("limit", format_args!("a number from 1 to {MAX_LIMIT}")))
}

fn parse_text(body: &Map<String, Value>, field: &str) -> Result<Option<String>, ApiError> {
    let Some(value) = body.get(field) else { return Ok(None) };
    value.as_str().map(|text| Some(text.to_owned())).ok_or_else(|| invalid_parameter(field, "a string"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::ImageId;
    use crate::http::any_json::near_variants;

    fn parse(body: &Value) -> Result<QueryRequest, ApiError> {
        QueryRequest::parse("own1".parse().unwrap(), body.to_string().as_bytes())
    }

    proptest! {
        #[test]
        fn membership_query_is_parsed_faithfully(
            body in near_variants(&json!({
                "role": "recipient", "images": ["a", "b", "a"], "owners": ["o"], "status": ["pending", "accepted"],
                "limit": 7, "marker": "m",
            })),
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let _ = QueryRequest::parse("own1".parse().unwrap(), &bytes);
            if let Ok(QueryRequest { query, limit, marker }) = parse(&body) {
                let texts = |field: &str| {
                    let texts = body[field].as_array().map(|texts| texts.iter().filter_map(Value::as_str));
                    texts.map(|texts| texts.map(str::to_owned).collect::<BTreeSet<_>>())
                };
                let images = query.images.map(|images| images.iter().map(ImageId::to_string).collect());
                prop_assert_eq!(images, texts("images"));
                let counterparts = query.counterparts.map(|tenants| tenants.iter().map(TenantId::to_string).collect());
                prop_assert_eq!(counterparts, texts("owners").or_else(|| texts("projects")));
                let statuses = query.statuses.iter().map(Status::to_string).collect();
                prop_assert!(texts("status").is_none_or(|sent| sent == statuses));
                prop_assert_eq!(query.side.as_str(), body["role"].as_str().unwrap_or("owner"));
                prop_assert_eq!(body["limit"].as_u64().unwrap_or(1_000), limit as u64);
                prop_assert_eq!(marker.as_deref(), body["marker"].as_str());
            }
        }
    }

    #[test]
    fn empty_query_selects_all_memberships_as_owner() {
        let query = parse(&json!({"images": null, "role": null})).unwrap();
        assert_eq!((query.limit, query.marker), (1_000, None));
        let MembershipQuery { side, images, counterparts, statuses, .. } = query.query;
        assert_eq!((side, images, counterparts, statuses.len()), (Audience::Owner, None, None, 3));
    }

    #[test]
    fn invalid_query_field_is_named() {
        for (body, expected) in [
            (json!({"role": "admin"}), "role: expected \"owner\" or \"recipient\"."),
            (json!({"role": 1}), "role: expected"),
            (json!({"images": []}), "images: expected an array of 1 to 1000 ids."),
            (json!({"images": "a"}), "images: expected an array of 1 to 1000 ids."),
            (json!({"images": vec!["a"; 1001]}), "images: expected at most 1000, got 1001."),
            (json!({"images": ["a", "b#c"]}), "images[1]: expected"),
            (json!({"projects": [7]}), "projects[0]: expected a string."),
            (json!({"owners": ["o"]}), "owners: expected it only with the role \"recipient\"."),
            (
                json!({"role": "recipient", "projects": ["p"]}),
                "projects: expected it only with the role \"owner\".",
            ),
            (json!({"status": []}), "status: expected an array of some of \"pending\""),
            (json!({"status": "pending"}), "status: expected an array"),
            (json!({"status": ["Pending"]}), "status: expected an array"),
            (json!({"limit": 0}), "limit: expected a number from 1 to 1000."),
            (json!({"limit": 1001}), "limit: expected"),
            (json!({"limit": "5"}), "limit: expected"),
            (json!({"marker": 5}), "marker: expected a string."),
            (json!({"member_status": "pending"}), "member_status: expected only role, images"),
        ] {
            let error = parse(&body).unwrap_err().message;
            assert!(error.contains(expected), "{body}: {error}");
        }
    }
}
