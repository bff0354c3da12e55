//! How the service gets what share rules depend on: calls of its use cases, outside of the gate.

use imageshare::App;
use imageshare::domain::{
    Caller, DirectoryEntry, Image, Name, Pattern as ImagePattern, Role, RuleDetails, RuleRecipients,
    ShareRuleName, TenantId, TenantName,
};
use imageshare::usecases::share_rules::{self, ShareRuleError};
use imageshare::usecases::{self, UseCaseError};
use imageshare_tests::local_service::{caller, tenant};
use serde_json::json;

use crate::calls::CallResult;
use crate::history::TENANTS;
use crate::model::Violation;
use crate::rules::{Description, Pattern, Recipients, Rule, RuleChange};
use crate::state::State;

/// The region of every tenant.
const REGION: &str = "local";

/// Enters the owners into the directory.
pub async fn enter_owners(app: &App, state: &State) -> Result<(), Violation> {
    for owner in &TENANTS[..2] {
        enter(app, state, &tenant(owner)).await?;
    }
    Ok(())
}

/// Makes a change. `next` is the state after it.
pub async fn change(app: &App, change: &RuleChange, next: &State) -> Result<(), Violation> {
    match change {
        RuleChange::Put { owner, rule, details } => {
            let details = stored_rule(*details);
            share_rules::put(app, &caller(owner.as_str()), rule_name(*rule), &details)
                .await
                .map_err(failed)?;
        }
        RuleChange::Delete { owner, rule } => {
            share_rules::delete(app, &caller(owner.as_str()), rule_name(*rule)).await.map_err(failed)?;
        }
        RuleChange::Enable { owner, rule, enabled } => {
            let result =
                share_rules::set_enabled(app, &caller(owner.as_str()), rule_name(*rule), *enabled).await;
            let is_there = next.rules.contains_key(&(owner.clone(), *rule));
            if !matches!((&result, is_there), (Ok(_), true) | (Err(ShareRuleError::NotFound(_)), false)) {
                return Err(format!("{change:?}: {result:?}"));
            }
        }
        RuleChange::Enter { tenant, entry: Some(_) } => enter(app, next, tenant).await?,
        RuleChange::Enter { tenant, entry: None } => {
            usecases::delete_tenant(app, &admin(), tenant).await.map_err(failed)?;
        }
        RuleChange::Describe { image, description } => {
            let Some(record) = next.image(image) else { return Ok(()) };
            let describe = |image: &mut Image| {
                describe(image, *description);
                Ok::<_, UseCaseError>(())
            };
            let by = caller(record.owner.as_str());
            usecases::update_image(app, &by, image, describe).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Applies a rule.
pub async fn apply(app: &App, owner: &TenantId, rule: u8) -> CallResult {
    CallResult::Applied(share_rules::apply(app, &caller(owner.as_str()), &rule_name(rule), None, None).await)
}

/// The name of a rule.
pub fn rule_name(rule: u8) -> ShareRuleName {
    format!("rule-{rule}").parse().expect("a name")
}

async fn enter(app: &App, state: &State, id: &TenantId) -> Result<(), Violation> {
    let (account, project, organization) = state.names(id).ok_or(format!("{id} has no names"))?;
    let entry = DirectoryEntry {
        tenant: id.clone(),
        account: name(account),
        project: name(project),
        region: REGION.parse().expect("a region"),
        organization: organization.map(|id| id.parse().expect("an id")),
        cloud_account: None,
    };
    usecases::put_tenant(app, &admin(), &entry).await.map(drop).map_err(failed)
}

fn describe(image: &mut Image, description: Description) {
    let (name, tag, system) = match description {
        Description::None => (None, None, None),
        Description::Web => (Some("web-1"), None, None),
        Description::WebGoldenLinux => (Some("web-2"), Some("golden"), Some("Linux")),
        Description::GoldenWindows => (None, Some("golden"), Some("Windows")),
    };
    image.details.name = name.map(str::to_owned);
    image.details.tags = tag.map(str::to_owned).into_iter().collect();
    image.details.properties.remove(SYSTEM);
    image.details.properties.extend(system.map(|system| (SYSTEM.to_owned(), system.to_owned())));
}

/// The property that has an image's system.
const SYSTEM: &str = "__os_type";

fn stored_rule(rule: Rule) -> RuleDetails {
    let pattern = match rule.pattern {
        Pattern::Golden => json!({"tags": ["golden"]}),
        Pattern::Web => json!({"name": [{"prefix": "web"}]}),
        Pattern::Linux => json!({"properties": {SYSTEM: ["Linux"]}}),
        Pattern::Unnamed => json!({"name": [{"exists": false}]}),
    };
    let account = |account: &str, project: Option<&str>| {
        vec![TenantName { account: name(account), project: project.map(name) }]
    };
    let none = RuleRecipients::default();
    let recipients = match rule.recipients {
        Recipients::Project => RuleRecipients { projects: vec![tenant(TENANTS[2])], ..none },
        Recipients::Named => RuleRecipients { accounts: account("acme", Some("dd")), ..none },
        Recipients::Solo => RuleRecipients { accounts: account("solo", None), ..none },
        Recipients::Home => RuleRecipients { accounts: account("home", None), ..none },
        Recipients::Organization => {
            RuleRecipients { organizations: vec!["o-1".parse().expect("an id")], ..none }
        }
    };
    RuleDetails {
        pattern: ImagePattern::parse(&pattern).expect("a pattern"),
        recipients,
        enabled: rule.enabled,
        withdraw_unmatched: rule.withdraws,
    }
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn admin() -> Caller {
    Caller { role: Role::Admin, ..caller("ops") }
}

fn failed(problem: impl std::fmt::Display) -> Violation {
    problem.to_string()
}
