//! `GET /v1/keys/{key_id}/grants/{project_id}/memberships`: list the memberships that rely on a grant, also after its
//! withdrawal.

use http::StatusCode;

use super::{DependentsBody, path_grantee, path_key};
use crate::domain::{Caller, KeyId, TenantId};
use crate::http::{
    ApiError, AuthenticatedRequest, HttpResponse, Listing, Query, invalid_parameter, json_response,
};
use crate::usecases::{self, Marker};

/// The default and maximum number of images that a page examines.
pub(super) const MAX_PAGE_SIZE: usize = 100;

const EXPECTED_LIMIT: &str = "a number from 1 to 100";

/// The operation's route.
pub const ROUTE: &str = "GET /v1/keys/{key_id}/grants/{project_id}/memberships";

/// `?limit=&marker=` in, `{"memberships":[{"image_id","image_name","project_id","status"}],"page_info":{…}}` out,
/// newest image first. `limit` counts the images under the key; those that are not shared with the project are left
/// out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    dependents(request).await.unwrap_or_else(ApiError::into_response)
}

async fn dependents(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let (key, tenant) = (path_key(request)?, path_grantee(request)?);
    let query = Query::parse(request.raw_query())?;
    let listing = dependents_listing(request.caller(), &key, &tenant);
    let after: Option<Marker> = query.parse_marker(&listing)?;
    let limit = query.parse_value("limit", EXPECTED_LIMIT)?.unwrap_or(MAX_PAGE_SIZE);
    if !(1..=MAX_PAGE_SIZE).contains(&limit) {
        return Err(invalid_parameter("limit", EXPECTED_LIMIT));
    }
    let page =
        usecases::list_dependent_memberships(&request.app, request.caller(), &key, &tenant, (after, limit))
            .await?;
    Ok(json_response(StatusCode::OK, &DependentsBody::new(&tenant, &page, &listing)))
}

/// The list of memberships that rely on a grant. Its first page is also the response to the grant's withdrawal.
pub(super) fn dependents_listing(caller: &Caller, key: &KeyId, tenant: &TenantId) -> Listing {
    Listing::new(ROUTE, caller).with(key.as_str()).with(tenant.as_str())
}
