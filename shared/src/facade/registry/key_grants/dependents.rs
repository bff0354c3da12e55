//! `GET /v1/keys/{key_id}/grants/{project_id}/memberships`: list the memberships that rely on a grant, also after its
//! withdrawal.

use super::{dependents_response, path_grantee, path_key};
use crate::domain::{Caller, KeyId, TenantId};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, Query};
use crate::usecases::{self, Marker};

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
    let (app, caller, range) = (&request.app, request.caller(), (after, query.batch_limit()?));
    let page = usecases::list_dependent_memberships(app, caller, &key, &tenant, range).await?;
    Ok(dependents_response(&tenant, &page, &listing))
}

/// The list of memberships that rely on a grant. Its first page is also the response to the grant's withdrawal.
pub(super) fn dependents_listing(caller: &Caller, key: &KeyId, tenant: &TenantId) -> Listing {
    Listing::new(ROUTE, caller).with(key.as_str()).with(tenant.as_str())
}
