//! `GET /v1/service`: what a client has to know before it plans: whether its credential is accepted and for which project,
//! which version this is, and the limits in force. Costs nothing but the authentication.

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::Settings;
use crate::domain::{Caller, Limit, Limits, MAX_NAMES_PER_BATCH, MAX_PAIRS_PER_BATCH, Role};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};

/// The operation's route.
pub const ROUTE: &str = "GET /v1/service";

/// What a client may use if it is named here. A release that adds what a client has to ask for adds a name; none is
/// removed while the API has it.
const FEATURES: [&str; 3] = ["access_key_expiry", "access_key_secrets", "share_rules"];

/// The service as its caller sees it.
#[derive(Serialize)]
struct ServiceJson<'a> {
    version: &'static str,
    region: &'a str,
    project_id: &'a str,
    account_id: Option<&'a str>,
    roles: Vec<&'static str>,
    limits: Map<String, Value>,
    features: Vec<&'static str>,
}

/// No body in, the service as the caller sees it out.
pub fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).unwrap_or_else(ApiError::into_response)
}

fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let (settings, caller) = (&request.app.settings, request.caller());
    Ok(json_response(StatusCode::OK, &ServiceJson::new(settings, caller)))
}

impl<'a> ServiceJson<'a> {
    fn new(settings: &'a Settings, caller: &'a Caller) -> Self {
        let conditional = [
            ("complete_directory", settings.directory_is_complete),
            ("message_waits", settings.waiting_reads.is_some()),
        ];
        let conditional = conditional.into_iter().filter_map(|(name, is_there)| is_there.then_some(name));
        Self {
            version: env!("CARGO_PKG_VERSION"),
            region: &settings.region,
            project_id: caller.tenant.as_str(),
            account_id: caller.account.as_deref(),
            roles: caller.role.included().map(Role::name).collect(),
            limits: limits(settings.limits),
            features: FEATURES.into_iter().chain(conditional).collect(),
        }
    }
}

/// Every limit by its name: those of the deployment, and those of a batch request.
fn limits(limits: Limits) -> Map<String, Value> {
    let settable = Limit::ALL.iter().map(|limit| (limit.name.replace('-', "_"), limit.value(limits).into()));
    let fixed = [
        ("images_per_request", MAX_NAMES_PER_BATCH),
        ("recipients_per_request", MAX_NAMES_PER_BATCH),
        ("pairs_per_job", MAX_PAIRS_PER_BATCH),
    ];
    settable.chain(fixed.map(|(name, value)| (name.to_owned(), value.into()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_is_shown_with_the_value_in_force() {
        let in_force = Limits { members_per_image: 7, ..Limits::default() };
        let shown = limits(in_force);
        assert_eq!(shown["members_per_image"], 7);
        assert_eq!(shown["images_per_tenant"], 1_000);
        assert_eq!((&shown["images_per_request"], &shown["pairs_per_job"]), (&100.into(), &10_000.into()));
        assert_eq!(shown.len(), Limit::ALL.len() + 3);
    }
}
