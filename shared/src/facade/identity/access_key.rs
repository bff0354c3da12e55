//! The JSON of an access key. Only the response to its creation contains the secret.

use serde::Serialize;

use crate::domain::AccessKey;

/// An access key in a response.
#[derive(Serialize)]
pub(super) struct AccessKeyJson<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
    name: &'a str,
    project_id: &'a str,
    account_id: Option<&'a str>,
    user: Option<&'a str>,
    roles: Vec<&'static str>,
    master_key: &'a str,
    created_at: String,
    disabled_at: Option<String>,
}

impl<'a> AccessKeyJson<'a> {
    pub(super) fn new(key: &'a AccessKey, secret: Option<&'a str>) -> Self {
        Self {
            id: key.id.as_str(),
            secret,
            name: &key.name,
            project_id: key.project.as_str(),
            account_id: key.account.as_deref(),
            user: key.user.as_deref(),
            roles: key.roles.iter().map(|role| role.name()).collect(),
            master_key: &key.master_key_id,
            created_at: key.created.to_iso_seconds(),
            disabled_at: key.disabled_at.map(crate::domain::Timestamp::to_iso_seconds),
        }
    }
}
