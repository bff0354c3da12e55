//! Limits of the caller's project, and what is used.

use serde::Deserialize;

use super::{ApiError, Call, Client};

/// A limit and its use.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Quota {
    /// What is limited, such as `image_shared`.
    #[serde(rename = "type")]
    pub kind: String,
    /// How much is used.
    pub used: i64,
    /// How much there may be.
    pub quota: i64,
}

#[derive(Deserialize)]
struct Body {
    quotas: Resources,
}

#[derive(Deserialize)]
struct Resources {
    resources: Vec<Quota>,
}

impl Client {
    /// Reads the limits.
    pub async fn quotas(&self) -> Result<Vec<Quota>, ApiError> {
        Ok(self.send::<Body>(&Call::get("/v1/cloudimages/quota", &[])).await?.quotas.resources)
    }
}
