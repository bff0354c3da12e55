//! Owners that the caller's project trusts or blocks.

use serde::{Deserialize, Serialize};

use super::{ApiError, Call, Client};

/// A project's policy on an owner.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OwnerPolicy {
    /// The owner.
    pub project_id: String,
    /// Whether it is trusted.
    pub policy: Policy,
    /// The vault into which full-ECS images are accepted.
    #[serde(default)]
    pub vault_id: Option<String>,
    /// When the policy was set.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

/// Whether an owner is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// What it shares is accepted at once.
    Trusted,
    /// What it shares fails.
    Blocked,
}

impl Policy {
    /// The policy as the service writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Blocked => "blocked",
        }
    }
}

#[derive(Serialize)]
struct NewPolicy<'a> {
    policy: Policy,
    #[serde(skip_serializing_if = "Option::is_none")]
    vault_id: Option<&'a str>,
}

#[derive(Deserialize)]
struct Body {
    owner: OwnerPolicy,
}

impl Client {
    /// Trusts or blocks an owner.
    pub async fn put_owner(
        &self,
        owner: &str,
        policy: Policy,
        vault_id: Option<&str>,
    ) -> Result<OwnerPolicy, ApiError> {
        let call = Call::put("/v1/owners/{}", &[owner]).body(&NewPolicy { policy, vault_id });
        Ok(self.send::<Body>(&call).await?.owner)
    }

    /// Reads the policy on an owner; `None` for an owner without one.
    pub async fn owner(&self, owner: &str) -> Result<Option<OwnerPolicy>, ApiError> {
        let body: Option<Body> = self.find(&Call::get("/v1/owners/{}", &[owner])).await?;
        Ok(body.map(|body| body.owner))
    }

    /// Removes the policy on an owner, also if it is gone.
    pub async fn delete_owner(&self, owner: &str) -> Result<(), ApiError> {
        self.remove(&Call::delete("/v1/owners/{}", &[owner])).await
    }
}
