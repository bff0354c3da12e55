//! A token as Keystone describes it: whom it stands for, where, until when, and where the services are.

use http::StatusCode;
use serde_json::{Value, json};

use super::Error;
use super::catalog::catalog;
use crate::auth::{Authenticator, Bearer, NotAdmitted};
use crate::domain::{Caller, Entry, Role, TenantId, Timestamp};
use crate::function::Call;

/// What carries a token that is asked about, or was issued.
pub(super) const SUBJECT_TOKEN: &str = "x-subject-token";

/// The domain of everything here, for clients that cannot do without.
pub(super) const DOMAIN: &str = "default";

/// Its id and its name.
pub(super) const DOMAIN_NAMES: [&str; 2] = [DOMAIN, "Default"];

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

/// A project as Keystone describes it.
pub(super) struct Project {
    /// Its id.
    pub(super) id: TenantId,
    /// Its name in the directory, else its id.
    pub(super) name: String,
    /// The name of its account in the directory, else the domain of everything.
    pub(super) domain: String,
}

impl Project {
    /// The members of `project`.
    pub(super) fn body(&self, address: &str) -> Value {
        let Self { id, name, domain } = self;
        json!({
            "id": id.as_str(),
            "name": name,
            "domain_id": domain,
            "parent_id": domain,
            "description": "",
            "enabled": true,
            "is_domain": false,
            "tags": [],
            "options": {},
            "links": { "self": format!("{address}/v3/projects/{id}") },
        })
    }
}

impl From<TenantId> for Project {
    /// A project of which the directory says nothing.
    fn from(id: TenantId) -> Self {
        Self { name: id.as_str().to_owned(), id, domain: DOMAIN.to_owned() }
    }
}

impl From<Entry> for Project {
    fn from(entry: Entry) -> Self {
        let (name, domain) = (entry.project.to_string(), entry.account.to_string());
        Self { id: entry.tenant, name, domain }
    }
}

/// The token in `X-Subject-Token`, and who bears it. One of another project is not found, like one that is not good.
pub(super) async fn subject<'a>(
    authenticator: &Authenticator,
    call: &'a Call,
    now: Timestamp,
) -> Result<(&'a str, Bearer), Error> {
    let subject = call.raw_header(SUBJECT_TOKEN).and_then(|token| std::str::from_utf8(token).ok());
    let subject = subject.ok_or_else(|| Error::bad_request("X-Subject-Token: expected a token."))?.trim();
    match authenticator.token_bearer(subject, &call.service.store, now).await {
        Ok(bearer) if call.caller().reads_for(&bearer.caller.tenant) => Ok((subject, bearer)),
        Ok(_) | Err(NotAdmitted::Unauthenticated(_)) => Err(no_such_token()),
        Err(NotAdmitted::Store(problem)) => Err(problem.into()),
        Err(NotAdmitted::Issuer(problem)) => Err(Error::of_issuer(&problem)),
    }
}

/// The token in `X-Subject-Token` is none, or none that the caller may know of.
pub(super) fn no_such_token() -> Error {
    Error::new(
        StatusCode::NOT_FOUND,
        "IMG.0087",
        "X-Subject-Token: your project has no such token, or it is not good any more.",
    )
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
