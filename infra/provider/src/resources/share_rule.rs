//! `imageshare_share_rule`: an owner's standing order to share what matches a pattern.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::Value as Json;

use super::support::{
    account_attributes, account_names, account_values, failed, id, stopped, text, texts, unless_empty, wait,
};
use crate::api::{Client, ErrorKind, NewShareRule, RuleRecipients, ShareRule as ApiShareRule};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::{Attribute, Nesting, Operation, Rule, Schema, Validator, not_empty};
use crate::server::{Context, Create, Delete, Read, Resource, Update};
use crate::value::Object;

/// The resource `imageshare_share_rule`.
pub struct ShareRule;

#[async_trait]
impl Resource<Client> for ShareRule {
    fn name(&self) -> &'static str {
        "imageshare_share_rule"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A standing order of the project: share each image that matches a pattern with these recipients. Destroying the rule leaves shared what it has shared.",
            [
                Attribute::string("name", "Its name.").required().force_new().check(id()),
                Attribute::string(
                    "pattern",
                    "What an image has to match, as JSON in a subset of EventBridge's language: `jsonencode({ name = [{ wildcard = \"golden-*\" }] })`.",
                )
                .required()
                .check(json_object()),
                Attribute::strings("project_ids", "Projects to share with.").check(not_empty()),
                Attribute::objects("accounts", Nesting::Set, "Accounts to share with, by their names in the directory.", account_attributes())
                    .check(not_empty()),
                Attribute::strings("organizations", "The project's own organization, to share with its members.").check(not_empty()),
                Attribute::bool("enabled", "Whether the rule acts when an image changes.").default(true),
                Attribute::bool("withdraw_unmatched", "Whether an image that no longer matches is unshared.").default(false),
                Attribute::bool(
                    "apply_existing",
                    "Whether creating or changing the rule also shares what matches already, and waits for that.",
                )
                .default(false)
                .local(),
                Attribute::number("revision", "A number that grows with each change.").computed(),
                Attribute::string("created_at", "When it was created.").computed().keep(),
                Attribute::string("updated_at", "When it was last changed.").computed(),
            ],
        )
        .rule(Rule::AtLeastOne(&["project_ids", "accounts", "organizations"]))
        .timeouts(&[Operation::Create, Operation::Update])
    }

    fn identity(&self) -> &'static [&'static str] {
        &["name"]
    }

    async fn create(&self, context: &mut Context<'_, Client>, create: &mut Create) -> Result<(), Diagnostic> {
        create.state = Some(put(context, &create.plan).await?);
        apply_existing(context, &create.plan).await;
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, Client>, read: &mut Read) -> Result<(), Diagnostic> {
        let Some(state) = &read.state else { return Ok(()) };
        let rule = context.client.share_rule(&text(state, "name")).await;
        let rule = rule.map_err(|error| failed("The share rule could not be read", &error, &[]))?;
        if let Some(error) = rule.as_ref().and_then(|rule| rule.last_error.as_ref()) {
            let detail = format!(
                "At {}, image {}: {} [{}]",
                error.at, error.image_id, error.error_msg, error.error_code
            );
            context
                .diagnostics
                .warn(format!("Share rule {} could not share an image", text(state, "name")), detail);
        }
        read.state = rule.map(|rule| state_of(&rule, state));
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Client>, update: &mut Update) -> Result<(), Diagnostic> {
        update.state = put(context, &update.plan).await?;
        apply_existing(context, &update.plan).await;
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        let deleted = context.client.delete_share_rule(&text(&delete.state, "name")).await;
        deleted.map_err(|error| failed("The share rule was not deleted", &error, &[]))
    }
}

/// Creates or replaces the rule that is planned.
async fn put(context: &Context<'_, Client>, plan: &Object) -> Result<Object, Diagnostic> {
    let pattern =
        plan.str("pattern").and_then(|pattern| serde_json::from_str(pattern).ok()).unwrap_or_default();
    let rule = NewShareRule {
        pattern,
        recipients: RuleRecipients {
            projects: texts(plan, "project_ids").into_iter().collect(),
            accounts: account_names(plan).into_iter().collect(),
            organizations: texts(plan, "organizations").into_iter().collect(),
        },
        enabled: plan.bool("enabled").unwrap_or(true),
        withdraw_unmatched: plan.bool("withdraw_unmatched").unwrap_or_default(),
    };
    let rule = context.client.put_share_rule(&text(plan, "name"), &rule).await;
    rule.map(|rule| state_of(&rule, plan)).map_err(|error| {
        // `recipients.accounts[0]` is an element of `accounts` here.
        let field = error.field().and_then(|field| field.strip_prefix("recipients."));
        let attribute = match field.map(|field| field.split(['[', '.']).next().unwrap_or_default()) {
            Some("projects") => Some("project_ids"),
            Some("accounts") => Some("accounts"),
            Some("organizations") => Some("organizations"),
            _ => None,
        };
        let diagnostic = failed("The share rule was not written", &error, &["pattern", "name"]);
        attribute.map_or(diagnostic.clone(), |attribute| diagnostic.at(attribute))
    })
}

/// Shares what matches the rule already, if the plan says so. What fails is a warning: the rule itself is written.
async fn apply_existing(context: &mut Context<'_, Client>, plan: &Object) {
    if plan.bool("apply_existing") != Some(true) {
        return;
    }
    let (wait, name) = (wait(context), text(plan, "name"));
    let jobs = match context.client.apply_share_rule(&name).await {
        Ok(jobs) => jobs,
        Err(error) => {
            context.diagnostics.push(failed_to_apply(&name, &error.to_string()));
            return;
        }
    };
    let mut problems = Diagnostics::default();
    for job in jobs {
        match context.client.wait_for_job(&job, &wait).await {
            Ok(Ok(job)) if job.fail_reason.is_some() => {
                problems.push(failed_to_apply(
                    &name,
                    &format!("{} Job {}.", job.fail_reason.unwrap_or_default(), job.job_id),
                ));
            }
            Ok(Ok(_)) => {}
            Ok(Err(reason)) => problems
                .push(failed_to_apply(&name, &format!("Job {job} is {}; it goes on.", stopped(reason)))),
            // A job of the rule may not be the project's to see any more; what it shared is there all the same.
            Err(error) if error.kind == ErrorKind::Missing => {}
            Err(error) => problems.push(failed_to_apply(&name, &error.to_string())),
        }
    }
    context.diagnostics.extend(problems);
}

fn failed_to_apply(name: &str, detail: &str) -> Diagnostic {
    Diagnostic::warning(format!("Share rule {name} has not shared all that matches already"), detail)
}

/// The state of a rule. `before` is the state or the plan that it had.
fn state_of(rule: &ApiShareRule, before: &Object) -> Object {
    let set = |values: &[String]| values.iter().cloned().collect::<BTreeSet<_>>();
    let RuleRecipients { projects, accounts, organizations } = &rule.recipients;
    Object::new()
        .with("name", &rule.name)
        .with("pattern", pattern_text(&rule.pattern, before.str("pattern")))
        .with("project_ids", unless_empty(set(projects), projects.is_empty(), before.get("project_ids")))
        .with("accounts", unless_empty(account_values(accounts), accounts.is_empty(), before.get("accounts")))
        .with(
            "organizations",
            unless_empty(set(organizations), organizations.is_empty(), before.get("organizations")),
        )
        .with("enabled", rule.enabled)
        .with("withdraw_unmatched", rule.withdraw_unmatched)
        .with("apply_existing", before.get("apply_existing").clone())
        .with("revision", rule.revision)
        .with("created_at", &rule.created_at)
        .with("updated_at", &rule.updated_at)
        .with("timeouts", before.get("timeouts").clone())
}

/// A pattern as text: as it was written, if it is the same JSON, else as Terraform's `jsonencode` writes it.
fn pattern_text(pattern: &Json, before: Option<&str>) -> String {
    match before {
        Some(before) if serde_json::from_str::<Json>(before).is_ok_and(|before| before == *pattern) => {
            before.to_owned()
        }
        _ => pattern.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"),
    }
}

fn json_object() -> Validator {
    Validator::new(|value| match value.as_str().map(serde_json::from_str::<Json>) {
        Some(Ok(Json::Object(_))) | None => Ok(()),
        Some(Ok(_)) => Err("Expected a JSON object; jsonencode makes one.".to_owned()),
        Some(Err(problem)) => Err(format!("Expected JSON; jsonencode makes it: {problem}.")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pattern_stays_as_it_was_written() {
        let pattern = json!({"name": [{"numeric": [">=", 12]}], "tags": ["a&b"]});
        let written = r#"{ "tags": ["a&b"], "name": [{"numeric": [">=", 12]}] }"#;
        assert_eq!(pattern_text(&pattern, Some(written)), written);
        let encoded = r#"{"name":[{"numeric":["\u003e=",12]}],"tags":["a\u0026b"]}"#;
        assert_eq!(pattern_text(&pattern, None), encoded);
        assert_eq!(pattern_text(&pattern, Some("{}")), encoded);
    }
}
