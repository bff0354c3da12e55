//! The JSON of an access key. Only the response to its creation contains the secret, if the client did not choose it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::{AccessKey, AccessKeyId, Timestamp};
use crate::http::{ApiError, AuthenticatedRequest};
use crate::usecases::AccessKeyError;

/// The maximum length of an access key's name, in characters.
const MAX_NAME_CHARS: usize = 255;

/// Parses the member `name` of a body.
pub(super) fn parse_name(body: &Map<String, Value>) -> Result<String, ApiError> {
    let name = body.get("name").and_then(Value::as_str);
    let name = name.filter(|name| (1..=MAX_NAME_CHARS).contains(&name.chars().count()));
    name.map(str::to_owned).ok_or_else(|| {
        ApiError::malformed(format!("name: expected a string of 1 to {MAX_NAME_CHARS} characters."))
    })
}

/// Parses the access key in the path. A malformed id is not found, like an unknown one.
pub(super) fn path_key(request: &AuthenticatedRequest) -> Result<AccessKeyId, ApiError> {
    Ok(request.path_parameter("key_id").parse().map_err(|_| AccessKeyError::NotFound)?)
}

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
    expires_at: Option<String>,
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
            expires_at: key.expires_at.map(Timestamp::to_iso_seconds),
            disabled_at: key.disabled_at.map(Timestamp::to_iso_seconds),
        }
    }
}
