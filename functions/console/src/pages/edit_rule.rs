//! *New share rule* and *Edit share rule*: name, pattern as JSON, recipients.
//!
//! The page costs what the frame costs, and one for a rule that is there; its form what the use case says, and one read more.

use std::str::FromStr;

use askama::Template;
use http::StatusCode;
use imageshare::domain::{
    MAX_RULE_GROUPS, MAX_RULE_RECIPIENTS, Name, OrganizationId, Pattern, PatternError, RuleDetails,
    RuleRecipients, ShareRequestError, ShareRule, ShareRuleName, TenantId, TenantName, authorize_write,
};
use imageshare::http::strict_json;
use imageshare::usecases::UseCaseError;
use imageshare::usecases::share_rules::{self, ShareRuleError};

use super::share_rules::{named, path_of};
use crate::fields::Fields;
use crate::frame::{Frame, Section};
use crate::problems::Problems;
use crate::reply::Reply;
use crate::texts::{Texts, fill};
use crate::visit::Visit;
use crate::wording::Refusal;

/// A pattern, for the hint.
const EXAMPLE: &str = r#"{"name": [{"prefix": "golden-"}], "tags": ["prod"]}"#;

/// Separates the name of an account from that of a project.
const BETWEEN_NAMES: &str = " / ";

#[derive(Template)]
#[template(path = "edit_rule.html")]
struct EditRule {
    frame: Frame,
    title: &'static str,
    action: String,
    cancel: String,
    hint: String,
    is_new: bool,
    /// The revision that is edited; 0 for a new rule.
    revision: u64,
    draft: Draft,
    problems: Problems,
}

/// What the form has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Draft {
    name: String,
    pattern: String,
    ids: String,
    accounts: String,
    organizations: String,
    is_enabled: bool,
    withdraws: bool,
}

/// Shows the form of a new rule.
pub(crate) async fn show_new(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let draft = Draft { pattern: EXAMPLE.to_owned(), is_enabled: true, ..Draft::default() };
    draft.render(visit, None, Problems::default()).await
}

/// Creates a rule, if none has its name.
pub(crate) async fn create(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let draft = Draft::read(&visit.form);
    let mut problems = Problems::default();
    let name: Option<ShareRuleName> = draft.name.parse().ok();
    if name.is_none() {
        problems.add("name", visit.texts.own.rule_name_hint);
    }
    let details = draft.details(visit.texts, &mut problems);
    let (Some(name), Some(details)) = (name, details) else {
        return draft.render(visit, None, problems).await;
    };
    match find(visit, &name).await? {
        // Sent twice, the second finds the rule as it is wanted.
        Some(rule) if rule.details == details => return Ok(saved(&name)),
        Some(_) => problems.add("name", visit.texts.own.rule_exists),
        None => {
            if save_details(visit, &name, &details, &mut problems).await? {
                return Ok(saved(&name));
            }
        }
    }
    draft.render(visit, None, problems).await
}

/// Shows the form of a rule.
pub(crate) async fn show(visit: &Visit<'_>, name: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let rule = share_rules::show(&visit.app, visit.caller(), &named(name)?).await?;
    let revision = rule.revision;
    Draft::of(&rule).render(visit, Some((&rule.name, revision)), Problems::default()).await
}

/// Replaces the details of a rule, if nothing has changed them since the form was shown.
pub(crate) async fn save(visit: &Visit<'_>, name: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let name = named(name)?;
    let revision: u64 = visit.form.text("revision").parse().map_err(|_| Refusal::MalformedForm)?;
    let draft = Draft::read(&visit.form);
    let mut problems = Problems::default();
    let rule = find(visit, &name).await?.ok_or(Refusal::NoSuchPage)?;
    if let Some(details) = draft.details(visit.texts, &mut problems) {
        if rule.details == details {
            return Ok(saved(&name));
        }
        if rule.revision != revision {
            problems.add("pattern", visit.texts.own.rule_changed_meanwhile);
        } else if save_details(visit, &name, &details, &mut problems).await? {
            return Ok(saved(&name));
        }
    }
    draft.render(visit, Some((&name, revision)), problems).await
}

fn saved(name: &ShareRuleName) -> Reply {
    Reply::redirect(format!("{}?done=saved", path_of(name)))
}

/// The rule of that name.
async fn find(visit: &Visit<'_>, name: &ShareRuleName) -> Result<Option<ShareRule>, Refusal> {
    match share_rules::show(&visit.app, visit.caller(), name).await {
        Ok(rule) => Ok(Some(rule)),
        Err(ShareRuleError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Saves a rule. Returns whether it is saved; if not, its recipients have problems.
async fn save_details(
    visit: &Visit<'_>,
    name: &ShareRuleName,
    details: &RuleDetails,
    problems: &mut Problems,
) -> Result<bool, Refusal> {
    let texts = &visit.texts.own;
    match share_rules::put(&visit.app, visit.caller(), name.clone(), details).await {
        Ok(_) => return Ok(true),
        Err(ShareRuleError::ForeignOrganization(id)) => {
            problems.add("organizations", fill(texts.foreign_organization, &[("id", id.as_str())]));
        }
        Err(ShareRuleError::UseCase(UseCaseError::ShareRequest(ShareRequestError::SelfShare(id)))) => {
            problems.add("ids", fill(texts.own_project, &[("id", id.as_str())]));
        }
        Err(ShareRuleError::UseCase(UseCaseError::ProjectNameAsId { named, tenant })) => {
            let names = [("name", named.as_str()), ("id", tenant.as_str())];
            problems.add("ids", fill(texts.name_as_id, &names));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(false)
}

/// The parts of a text between commas, semicolons and white space.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter.is_whitespace() || [',', ';'].contains(&letter))
        .filter(|part| !part.is_empty())
}

/// The ids in a text, each once. A malformed one is a problem.
fn ids<T: FromStr + PartialEq>(
    text: &str,
    (field, message): (&'static str, &str),
    problems: &mut Problems,
) -> Vec<T> {
    let mut ids = Vec::new();
    for part in parts(text) {
        match part.parse() {
            Ok(id) if !ids.contains(&id) => ids.push(id),
            Ok(_) => {}
            Err(_) => problems.add(field, fill(message, &[("id", part)])),
        }
    }
    ids
}

/// The account of a line, and its project.
fn account(line: &str) -> Option<TenantName> {
    let (account, project) = match line.split_once(BETWEEN_NAMES) {
        Some((account, project)) => (account, Some(project)),
        None => (line, None),
    };
    let name = |text: &str| text.trim().parse::<Name>().ok();
    let project = match project {
        Some(project) => Some(name(project)?),
        None => None,
    };
    Some(TenantName { account: name(account)?, project })
}

impl Draft {
    fn read(fields: &Fields) -> Self {
        let text = |name| fields.text(name).to_owned();
        Self {
            name: text("name"),
            pattern: text("pattern"),
            ids: text("ids"),
            accounts: text("accounts"),
            organizations: text("organizations"),
            is_enabled: fields.has("enabled"),
            withdraws: fields.has("withdraw"),
        }
    }

    fn of(rule: &ShareRule) -> Self {
        let RuleDetails { pattern, recipients, enabled, withdraw_unmatched } = &rule.details;
        let lines = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>().join("\n");
        Self {
            name: rule.name.to_string(),
            pattern: format!("{:#}", pattern.to_json()),
            ids: lines(&mut recipients.projects.iter().map(ToString::to_string)),
            accounts: lines(&mut recipients.accounts.iter().map(|named| match &named.project {
                Some(project) => format!("{}{BETWEEN_NAMES}{project}", named.account),
                None => named.account.to_string(),
            })),
            organizations: lines(&mut recipients.organizations.iter().map(ToString::to_string)),
            is_enabled: *enabled,
            withdraws: *withdraw_unmatched,
        }
    }

    /// The details of the rule; `None` if there are problems.
    fn details(&self, texts: &Texts, problems: &mut Problems) -> Option<RuleDetails> {
        let pattern = self.pattern(texts, problems);
        let mut accounts = Vec::new();
        for line in self.accounts.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match account(line) {
                Some(named) if !accounts.contains(&named) => accounts.push(named),
                Some(_) => {}
                None => problems.add("accounts", fill(texts.own.bad_account, &[("name", line)])),
            }
        }
        let recipients = RuleRecipients {
            projects: ids::<TenantId>(&self.ids, ("ids", texts.own.bad_project_id), problems),
            accounts,
            organizations: ids::<OrganizationId>(
                &self.organizations,
                ("organizations", texts.own.bad_organization),
                problems,
            ),
        };
        let groups = recipients.accounts.len() + recipients.organizations.len();
        if problems.is_empty()
            && (!(1..=MAX_RULE_RECIPIENTS).contains(&recipients.len()) || groups > MAX_RULE_GROUPS)
        {
            problems.add("ids", texts.own.name_recipients);
        }
        let pattern = pattern.filter(|_| problems.is_empty())?;
        let (enabled, withdraw_unmatched) = (self.is_enabled, self.withdraws);
        Some(RuleDetails { pattern, recipients, enabled, withdraw_unmatched })
    }

    fn pattern(&self, texts: &Texts, problems: &mut Problems) -> Option<Pattern> {
        let json = match strict_json::parse(self.pattern.as_bytes()) {
            Ok(json) => json,
            Err(problem) => {
                problems.add("pattern", fill(texts.own.bad_json, &[("problem", &problem.to_string())]));
                return None;
            }
        };
        match Pattern::parse(&json) {
            Ok(pattern) => Some(pattern),
            Err(PatternError { path, expected }) => {
                let places = [("place", path.as_str()), ("expected", &expected)];
                problems.add("pattern", fill(texts.own.bad_pattern, &places));
                None
            }
        }
    }

    /// The page with the form: for a rule at that revision, or a new one.
    async fn render(
        self,
        visit: &Visit<'_>,
        rule: Option<(&ShareRuleName, u64)>,
        problems: Problems,
    ) -> Result<Reply, Refusal> {
        let texts = &visit.texts.own;
        let frame = Frame::load(visit, Some(Section::ShareRules)).await?;
        let list = Section::ShareRules.path();
        let (title, action, cancel) = match rule {
            Some((name, _)) => (texts.edit_share_rule, format!("{}/edit", path_of(name)), path_of(name)),
            None => (texts.new_share_rule, format!("{list}/new"), list.to_owned()),
        };
        let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let page = EditRule {
            frame,
            title,
            action,
            cancel,
            hint: fill(texts.pattern_hint, &[("example", EXAMPLE)]),
            is_new: rule.is_none(),
            revision: rule.map_or(0, |(_, revision)| revision),
            draft: self,
            problems,
        };
        Ok(Reply::with_status(status, &page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::ENGLISH;

    fn details(fields: &str) -> (Option<RuleDetails>, Problems) {
        let mut problems = Problems::default();
        let draft = Draft::read(&Fields::parse(fields.as_bytes()).unwrap());
        (draft.details(&ENGLISH, &mut problems), problems)
    }

    #[test]
    fn recipients_are_read_from_lines() {
        let pattern = "pattern={\"name\":[\"a\"]}";
        let (rule, problems) = details(&format!(
            "{pattern}&ids=p,q+p&accounts=Acme+/+shop%0D%0A%0D%0ABolt&organizations=o&enabled=yes"
        ));
        let rule = rule.unwrap();
        assert!(problems.is_empty() && rule.enabled && !rule.withdraw_unmatched);
        let RuleRecipients { projects, accounts, organizations } = rule.recipients;
        assert_eq!((projects.len(), accounts.len(), organizations.len()), (2, 2, 1));
        assert_eq!(accounts.first().and_then(|named| named.project.as_ref()).map(Name::as_str), Some("shop"));
    }

    #[test]
    fn problems_are_at_their_fields() {
        for (fields, field) in [
            ("pattern={&ids=p", "pattern"),
            ("pattern={\"name\":[7]}&ids=p", "pattern"),
            ("pattern={\"name\":[\"a\"]}", "ids"),
            ("pattern={\"name\":[\"a\"]}&ids=a/b", "ids"),
            ("pattern={\"name\":[\"a\"]}&ids=p&organizations=a/b", "organizations"),
            ("pattern={\"name\":[\"a\"]}&ids=p&accounts=Acme+/+%01", "accounts"),
        ] {
            let (rule, problems) = details(fields);
            assert!(rule.is_none() && problems.begin_with(field), "{fields}: {problems:?}");
        }
    }
}
