//! `GET /v1/keys/{key_id}/grants/{project_id}/memberships`: what relies on a grant, whether it is in force still or not.

use http::StatusCode;

use super::{DependentsWire, grantee_of_path, key_of_path};
use crate::domain::{Caller, KeyId, TenantId};
use crate::facade::ims::query::{Query, bad};
use crate::facade::ims::{Error, no_body};
use crate::facade::marker::Listing;
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases::{self, Marker};

/// How many images a page looks at, unless told otherwise and at most.
pub(super) const MOST: usize = 100;

const LIMIT: &str = "a number from 1 to 100";

/// The operation's route.
pub const ROUTE: &str = "GET /v1/keys/{key_id}/grants/{project_id}/memberships";

/// `?limit=&marker=` in, `{"memberships":[{"image_id","image_name","project_id","status"}],"page_info":{…}}` out, the newest
/// image first. `limit` counts the images under the key; those that are not shared with the project are left out.
pub async fn answer(call: &Call) -> Reply {
    dependents(call).await.unwrap_or_else(Error::into_reply)
}

async fn dependents(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let (key, tenant) = (key_of_path(call)?, grantee_of_path(call)?);
    let query = Query::parse(call.raw_query())?;
    let listing = listing(call.caller(), &key, &tenant);
    let after: Option<Marker> = query.after(&listing)?;
    let most = query.parsed("limit", LIMIT)?.unwrap_or(MOST);
    if !(1..=MOST).contains(&most) {
        return Err(bad("limit", LIMIT));
    }
    let found = usecases::dependents(&call.service, call.caller(), &key, &tenant, (after, most)).await?;
    Ok(json(StatusCode::OK, &DependentsWire::new(&tenant, &found, &listing)))
}

/// The list of what relies on a grant, to which the answer to its withdrawal belongs as well.
pub(super) fn listing(caller: &Caller, key: &KeyId, tenant: &TenantId) -> Listing {
    Listing::new(ROUTE, caller).with(key.as_str()).with(tenant.as_str())
}
