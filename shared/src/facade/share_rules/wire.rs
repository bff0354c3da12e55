//! A share rule in responses, and its name in the path.

use serde::Serialize;
use serde_json::Value;

use super::error::problem_error;
use crate::domain::{
    ID_FORMAT, Name, OrganizationId, RuleProblem, RuleRecipients, ShareRule, ShareRuleName, TenantId,
    TenantName,
};
use crate::http::{ApiError, AuthenticatedRequest};

/// A share rule in a response.
#[derive(Debug, Serialize)]
pub(super) struct ShareRuleJson<'a> {
    name: &'a str,
    pattern: Value,
    recipients: RecipientsJson<'a>,
    enabled: bool,
    withdraw_unmatched: bool,
    revision: u64,
    created_at: String,
    updated_at: String,
    /// What it could not do since it was last changed: the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<ProblemJson<'a>>,
}

#[derive(Debug, Serialize)]
struct RecipientsJson<'a> {
    projects: Vec<&'a str>,
    accounts: Vec<AccountJson<'a>>,
    organizations: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct AccountJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct ProblemJson<'a> {
    at: String,
    image_id: &'a str,
    error_code: &'static str,
    error_msg: String,
}

/// A response with one share rule.
#[derive(Debug, Serialize)]
pub(super) struct ShareRuleBody<'a> {
    share_rule: ShareRuleJson<'a>,
}

impl<'a> ShareRuleBody<'a> {
    pub(super) fn new(rule: &'a ShareRule) -> Self {
        Self { share_rule: rule.into() }
    }
}

impl<'a> From<&'a ShareRule> for ShareRuleJson<'a> {
    fn from(rule: &'a ShareRule) -> Self {
        let details = &rule.details;
        Self {
            name: rule.name.as_str(),
            pattern: details.pattern.to_json(),
            recipients: (&details.recipients).into(),
            enabled: details.enabled,
            withdraw_unmatched: details.withdraw_unmatched,
            revision: rule.revision,
            created_at: rule.created.to_iso_seconds(),
            updated_at: rule.updated.to_iso_seconds(),
            last_error: rule.problem.as_ref().map(ProblemJson::from),
        }
    }
}

impl<'a> From<&'a RuleRecipients> for RecipientsJson<'a> {
    fn from(recipients: &'a RuleRecipients) -> Self {
        let account = |named: &'a TenantName| AccountJson {
            name: named.account.as_str(),
            project: named.project.as_ref().map(Name::as_str),
        };
        Self {
            projects: recipients.projects.iter().map(TenantId::as_str).collect(),
            accounts: recipients.accounts.iter().map(account).collect(),
            organizations: recipients.organizations.iter().map(OrganizationId::as_str).collect(),
        }
    }
}

impl<'a> From<&'a RuleProblem> for ProblemJson<'a> {
    fn from(problem: &'a RuleProblem) -> Self {
        let ApiError { code, message, .. } = problem_error(problem);
        Self {
            at: problem.at.to_iso_seconds(),
            image_id: problem.image.as_str(),
            error_code: code,
            error_msg: message,
        }
    }
}

/// The share rule of the path.
pub(super) fn path_rule(request: &AuthenticatedRequest) -> Result<ShareRuleName, ApiError> {
    let name = request.path_parameter("rule_name").parse();
    name.map_err(|_| ApiError::malformed(format!("rule_name: expected {ID_FORMAT}.")))
}
