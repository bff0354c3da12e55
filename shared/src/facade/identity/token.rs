//! A token as Keystone describes it: whom it stands for, where, until when, and where the services are.

use serde_json::{Value, json};

use super::catalog::catalog;
use crate::domain::{Caller, Role, TenantId, Timestamp};

/// The domain of everything here, for clients that cannot do without.
const DOMAIN: &str = "default";

/// What a token is shown with.
pub(super) struct TokenWire<'a> {
    /// How its bearer has proved who they are.
    pub(super) method: &'static str,
    /// Who bears it.
    pub(super) caller: &'a Caller,
    /// Since when it is good.
    pub(super) issued: Timestamp,
    /// Until when.
    pub(super) expires: Timestamp,
    /// Where the client reaches the service.
    pub(super) address: &'a str,
    /// The region of the deployment.
    pub(super) region: &'a str,
}

impl TokenWire<'_> {
    /// `{"token":{…}}`.
    pub(super) fn body(&self) -> Value {
        let caller = self.caller;
        let user = caller.user.as_deref().unwrap_or(caller.tenant.as_str());
        let roles = [Role::Reader, Role::Member, Role::Admin].into_iter().filter(|role| *role <= caller.role);
        let role = |role: Role| json!({ "id": role.name(), "name": role.name() });
        json!({ "token": {
            "methods": [self.method],
            "user": { "id": user, "name": user, "domain": domain(), "password_expires_at": null },
            "project": { "id": caller.tenant.as_str(), "name": caller.tenant.as_str(), "domain": domain() },
            "is_domain": false,
            "roles": roles.map(role).collect::<Vec<_>>(),
            "audit_ids": [],
            "issued_at": micros(self.issued),
            "expires_at": micros(self.expires),
            "catalog": catalog(self.address, self.region),
        } })
    }
}

/// A project as Keystone describes it. Its name is its id.
pub(super) fn project(id: &TenantId, name: &str, address: &str) -> Value {
    json!({
        "id": id.as_str(),
        "name": name,
        "domain_id": DOMAIN,
        "parent_id": DOMAIN,
        "description": "",
        "enabled": true,
        "is_domain": false,
        "tags": [],
        "options": {},
        "links": { "self": format!("{address}/v3/projects/{id}") },
    })
}

fn domain() -> Value {
    json!({ "id": DOMAIN, "name": "Default" })
}

/// The last moment that clients can read, 9999-12-31T23:59:59.999Z in milliseconds.
const LAST: i64 = 253_402_300_799_999;

/// `2026-11-21T22:46:56.123000Z`, as Keystone dates tokens.
fn micros(moment: Timestamp) -> String {
    let moment = moment.min(Timestamp::from_unix_millis(LAST));
    format!("{}000Z", moment.to_millis_text().trim_end_matches('Z'))
}
