//! Access keys of the caller's project.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{ApiError, Call, Client, Secret};

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AccessKey {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The project that it acts for.
    pub project_id: String,
    /// The account of the project.
    #[serde(default)]
    pub account_id: Option<String>,
    /// Its roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// When it was created.
    pub created_at: String,
    /// When it ends.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// When it was disabled.
    #[serde(default)]
    pub disabled_at: Option<String>,
    /// Its secret: only of a new key, and only if the service chose it.
    #[serde(default)]
    pub secret: Option<Secret>,
}

/// What an access key is to be.
#[derive(Clone, Debug, Serialize)]
pub struct NewAccessKey {
    /// Its name.
    pub name: String,
    /// Its roles; `member` if it is empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Its secret; the service chooses one, if it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
}

impl Client {
    /// Creates an access key.
    pub async fn create_access_key(&self, key: &NewAccessKey) -> Result<AccessKey, ApiError> {
        self.send(&Call::post("/v1/access-keys", &[]).body(key).idempotent()).await
    }

    /// Reads an access key. `None` if there is no such key.
    pub async fn access_key(&self, id: &str) -> Result<Option<AccessKey>, ApiError> {
        self.find(&Call::get("/v1/access-keys/{}", &[id])).await
    }

    /// Renames an access key.
    pub async fn rename_access_key(&self, id: &str, name: &str) -> Result<AccessKey, ApiError> {
        self.send(&Call::patch("/v1/access-keys/{}", &[id]).json(&json!({"name": name}))).await
    }

    /// Disables an access key for good, also if it is gone.
    pub async fn disable_access_key(&self, id: &str) -> Result<(), ApiError> {
        self.remove(&Call::delete("/v1/access-keys/{}", &[id])).await
    }
}
