//! The items of share rules: a rule, its lookups by the groups of its recipients, and the jobs that it has made.

use serde::{Deserialize, Serialize};

use super::job::JOB_RETENTION;
use crate::domain::{
    JobId, OrganizationId, Pattern, RuleDetails, RuleProblem, RuleRecipients, ShareRule, ShareRuleCause,
    ShareRuleName, TenantId, TenantName, Timestamp,
};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, SK, TTL};
use crate::table::Write;

/// The attribute that holds what a rule could not do.
pub const PROBLEM: &str = "problem";

/// A job that a share rule has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareRuleJob {
    /// The job.
    pub job: JobId,
    /// Why the rule made it.
    pub cause: ShareRuleCause,
}

#[derive(Serialize, Deserialize)]
struct RuleRecord {
    pattern: Pattern,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    projects: Vec<TenantId>,
    /// The names of the account and of the project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accounts: Vec<(String, Option<String>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    organizations: Vec<OrganizationId>,
    enabled: bool,
    #[serde(default)]
    withdraw_unmatched: bool,
    revision: u64,
    created: Timestamp,
    updated: Timestamp,
}

/// Puts a rule, without what an earlier version could not do.
pub fn put_rule(owner: &TenantId, rule: &ShareRule) -> Result<Write, StoreError> {
    let RuleDetails { pattern, recipients, enabled, withdraw_unmatched } = &rule.details;
    let names =
        |named: &TenantName| (named.account.to_string(), named.project.as_ref().map(ToString::to_string));
    let record = RuleRecord {
        pattern: pattern.clone(),
        projects: recipients.projects.clone(),
        accounts: recipients.accounts.iter().map(names).collect(),
        organizations: recipients.organizations.clone(),
        enabled: *enabled,
        withdraw_unmatched: *withdraw_unmatched,
        revision: rule.revision,
        created: rule.created,
        updated: rule.updated,
    };
    let attributes = [("rule", item::json(&record)?), (item::REV, item::text(rule.version))];
    Ok(Write::put(item::item(keys::share_rule(owner, &rule.name), attributes)))
}

/// Parses a rule.
pub fn parse(found: &Item) -> Result<ShareRule, StoreError> {
    let record: RuleRecord = item::get_json(found, "rule")?;
    let parse_names = |(account, project): (String, Option<String>)| {
        let unreadable = |_| StoreError::Unreadable("rule");
        let account = account.parse().map_err(unreadable)?;
        let project = project.map(|project| project.parse().map_err(unreadable)).transpose()?;
        Ok(TenantName { account, project })
    };
    let accounts = record.accounts.into_iter().map(parse_names).collect::<Result<_, StoreError>>()?;
    let recipients =
        RuleRecipients { projects: record.projects, accounts, organizations: record.organizations };
    let problem: Option<RuleProblem> =
        found.contains_key(PROBLEM).then(|| item::get_json(found, PROBLEM)).transpose()?;
    Ok(ShareRule {
        name: item::get_parsed(found, SK)?,
        details: RuleDetails {
            pattern: record.pattern,
            recipients,
            enabled: record.enabled,
            withdraw_unmatched: record.withdraw_unmatched,
        },
        revision: record.revision,
        version: item::get_parsed(found, item::REV)?,
        created: record.created,
        updated: record.updated,
        problem,
    })
}

/// Puts a job of a rule. It is kept as long as the job itself.
pub fn put_rule_job(owner: &TenantId, rule: &ShareRuleName, made: &ShareRuleJob) -> Write {
    let expiry = made.job.0.time().plus(JOB_RETENTION).unix_seconds();
    let attributes = [("cause", item::text(made.cause)), (TTL, item::number(expiry))];
    Write::put(item::item(keys::share_rule_job(owner, rule, made.job), attributes))
}

/// Parses a job of a rule; `None` if it has expired.
pub fn parse_rule_job(found: &Item, now: Timestamp) -> Result<Option<ShareRuleJob>, StoreError> {
    let made = ShareRuleJob { job: item::get_parsed(found, SK)?, cause: item::get_parsed(found, "cause")? };
    Ok((item::get_number::<i64>(found, TTL)? > now.unix_seconds()).then_some(made))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::RuleProblemKind;
    use crate::table::Action;

    #[test]
    fn rule_round_trips_through_its_item() {
        let owner: TenantId = "owner".parse().unwrap();
        let named = |project: Option<&str>| TenantName {
            account: "Käse & Söhne".parse().unwrap(),
            project: project.map(|project| project.parse().unwrap()),
        };
        let mut rule = ShareRule {
            name: "golden".parse().unwrap(),
            details: RuleDetails {
                pattern: Pattern::parse(&json!({"name": [{"prefix": "golden"}], "min_disk": [1.5]})).unwrap(),
                recipients: RuleRecipients {
                    projects: vec!["p".parse().unwrap()],
                    accounts: vec![named(None), named(Some("web"))],
                    organizations: vec!["o".parse().unwrap()],
                },
                enabled: true,
                withdraw_unmatched: true,
            },
            revision: 7,
            version: crate::domain::Stamp::now(),
            created: Timestamp::from_unix_millis(1),
            updated: Timestamp::from_unix_millis(2),
            problem: None,
        };
        let Action::Put(mut stored) = put_rule(&owner, &rule).unwrap().action else { panic!("a put") };
        assert_eq!(parse(&stored).unwrap(), rule);
        let kind = RuleProblemKind::QueueFull { max_pairs: 1 };
        let problem = RuleProblem { at: Timestamp::from_unix_millis(3), image: "i".parse().unwrap(), kind };
        stored.insert(PROBLEM.to_owned(), item::json(&problem).unwrap());
        rule.problem = Some(problem);
        assert_eq!(parse(&stored).unwrap(), rule);
    }
}
