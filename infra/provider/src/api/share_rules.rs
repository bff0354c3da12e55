//! Share rules: an owner's standing orders to share what matches a pattern.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ApiError, Call, Client};

/// The names of an account and one of its projects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub struct AccountName {
    /// The account.
    pub name: String,
    /// Its project; `None` means its only one in the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// With whom a rule shares.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct RuleRecipients {
    /// Projects by their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
    /// Accounts by their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountName>,
    /// The caller's organization.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
}

/// What a rule is to be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NewShareRule {
    /// What an image has to match.
    pub pattern: Value,
    /// With whom it is shared.
    pub recipients: RuleRecipients,
    /// Whether the rule acts when an image changes.
    pub enabled: bool,
    /// Whether what no longer matches is unshared.
    pub withdraw_unmatched: bool,
}

/// A share rule.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ShareRule {
    /// Its name.
    pub name: String,
    /// What an image has to match.
    pub pattern: Value,
    /// With whom it is shared.
    pub recipients: RuleRecipients,
    /// Whether the rule acts when an image changes.
    pub enabled: bool,
    /// Whether what no longer matches is unshared.
    pub withdraw_unmatched: bool,
    /// A number that grows with each change.
    pub revision: i64,
    /// When it was created.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
    /// What it could not do, the last time since it was changed.
    #[serde(default)]
    pub last_error: Option<RuleError>,
}

/// What a rule could not do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RuleError {
    /// When.
    pub at: String,
    /// With which image.
    pub image_id: String,
    /// The code of the failure.
    pub error_code: String,
    /// The failure, for the user.
    pub error_msg: String,
}

#[derive(Deserialize)]
struct Body {
    share_rule: ShareRule,
}

#[derive(Deserialize)]
struct Application {
    job_ids: Vec<String>,
    #[serde(default)]
    next: Option<String>,
}

impl Client {
    /// Creates or replaces a rule.
    pub async fn put_share_rule(&self, name: &str, rule: &NewShareRule) -> Result<ShareRule, ApiError> {
        Ok(self.send::<Body>(&Call::put("/v1/share-rules/{}", &[name]).body(rule)).await?.share_rule)
    }

    /// Reads a rule. `None` if there is no such rule.
    pub async fn share_rule(&self, name: &str) -> Result<Option<ShareRule>, ApiError> {
        let body: Option<Body> = self.find(&Call::get("/v1/share-rules/{}", &[name])).await?;
        Ok(body.map(|body| body.share_rule))
    }

    /// Shares what matches a rule already. Returns the jobs. Costs a call for each ten jobs. What is shared already stays
    /// as it is, so a call can be repeated.
    pub async fn apply_share_rule(&self, name: &str) -> Result<Vec<String>, ApiError> {
        let (mut jobs, mut after) = (Vec::new(), None::<String>);
        loop {
            let call = Call::post("/v1/share-rules/{}/apply", &[name]).query_if("after", after.as_deref());
            let Application { job_ids, next } = self.send(&call.idempotent()).await?;
            jobs.extend(job_ids);
            match next {
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(jobs),
            }
        }
    }

    /// Deletes a rule, also if it is gone. What it has shared stays shared.
    pub async fn delete_share_rule(&self, name: &str) -> Result<(), ApiError> {
        self.remove(&Call::delete("/v1/share-rules/{}", &[name])).await
    }
}
