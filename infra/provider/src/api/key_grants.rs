//! Key grants: which projects may use the key of an encrypted image.

use serde::Deserialize;

use super::{ApiError, Call, Client, Status};

/// A project's permission to use a key of the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KeyGrant {
    /// The key.
    pub key_id: String,
    /// The project that may use it.
    pub project_id: String,
    /// Since when.
    pub created_at: String,
}

/// A membership that relies on a key grant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dependent {
    /// The image.
    pub image_id: String,
    /// Its name.
    #[serde(default)]
    pub image_name: Option<String>,
    /// The project that it is shared with.
    pub project_id: String,
    /// What that project decided.
    pub status: Status,
}

#[derive(Deserialize)]
struct Body {
    grant: KeyGrant,
}

#[derive(Deserialize)]
struct Dependents {
    memberships: Vec<Dependent>,
}

impl Client {
    /// Lets a project use a key. Repeating it changes nothing.
    pub async fn put_key_grant(&self, key: &str, project: &str) -> Result<KeyGrant, ApiError> {
        Ok(self.send::<Body>(&Call::put("/v1/keys/{}/grants/{}", &[key, project])).await?.grant)
    }

    /// Reads a key grant; `None` if the key is not granted.
    pub async fn key_grant(&self, key: &str, project: &str) -> Result<Option<KeyGrant>, ApiError> {
        let body: Option<Body> = self.find(&Call::get("/v1/keys/{}/grants/{}", &[key, project])).await?;
        Ok(body.map(|body| body.grant))
    }

    /// Withdraws a key grant, also if it is gone. Returns the first of the memberships that rely on it, which stay.
    pub async fn delete_key_grant(&self, key: &str, project: &str) -> Result<Vec<Dependent>, ApiError> {
        let call = Call::delete("/v1/keys/{}/grants/{}", &[key, project]);
        let body: Option<Dependents> = self.find(&call).await?;
        Ok(body.map(|body| body.memberships).unwrap_or_default())
    }
}
