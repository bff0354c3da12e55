//! What the server is, and what it permits.

use serde::Deserialize;

use super::{ApiError, Call, Client};

/// The server, and the credential as the server sees it.
#[derive(Clone, Debug, Deserialize)]
pub struct Service {
    /// The version of the server.
    pub version: String,
    /// Its region.
    #[serde(default)]
    pub region: Option<String>,
    /// The project that the credential acts for.
    pub project_id: String,
    /// The account of the project.
    #[serde(default)]
    pub account_id: Option<String>,
    /// The roles of the credential.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The limits of calls.
    #[serde(default)]
    pub limits: Limits,
    /// The names of what this version can do.
    #[serde(default)]
    pub features: Vec<String>,
}

/// The limits of calls. Those that a server does not name are those of the oldest one.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// How many projects an image can be shared with.
    pub members_per_image: Option<u64>,
    /// How many images one call takes.
    pub images_per_request: usize,
    /// How many projects one call takes.
    #[serde(rename = "recipients_per_request")]
    pub projects_per_request: usize,
    /// How many pairs one call takes.
    pub pairs_per_job: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members_per_image: None,
            images_per_request: 100,
            projects_per_request: 100,
            pairs_per_job: 10_000,
        }
    }
}

/// Reads what the server is.
pub(super) async fn read(client: &Client) -> Result<Service, ApiError> {
    client.send(&Call::get("/v1/service", &[])).await
}
