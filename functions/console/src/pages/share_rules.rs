//! *Share Rules*: the list, a rule with what it did, what it would do, and whether it acts.
//!
//! The list costs what the frame costs and one query; a rule besides two reads and a query; the dry run what the
//! use case says.

use askama::Template;
use imageshare::domain::{
    RuleDetails, RuleProblemKind, ShareRule, ShareRuleCause, ShareRuleName, TenantName, authorize_write,
};
use imageshare::http::Listing;
use imageshare::usecases::Marker;
use imageshare::usecases::share_rules::{self, Application, DryRunPair, PairResult};

use super::confirm::{Confirmation, Item};
use crate::frame::{Frame, Section};
use crate::notice::MAX_JOBS;
use crate::owned;
use crate::reply::Reply;
use crate::show::Moment;
use crate::texts::{Texts, fill, plural};
use crate::visit::{self, Visit};
use crate::wording::{self, Refusal};

/// The rows of a page.
const PAGE_SIZE: usize = 25;

/// The field that says where applying a rule continues.
const REST: &str = "rest";

#[derive(Template)]
#[template(path = "share_rules.html")]
struct ShareRules {
    frame: Frame,
    can_write: bool,
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
}

struct Row {
    name: String,
    recipients: String,
    is_enabled: bool,
    state: &'static str,
    problem: bool,
    updated: Moment,
}

#[derive(Template)]
#[template(path = "share_rule.html")]
struct RulePage {
    frame: Frame,
    can_write: bool,
    title: String,
    name: String,
    is_enabled: bool,
    state: &'static str,
    withdraws: &'static str,
    pattern: String,
    recipients: Vec<String>,
    created: Moment,
    updated: Moment,
    problem: Option<Problem>,
    /// Where applying the rule continues; empty if nothing is left.
    rest: String,
    form_key: String,
    jobs: Vec<JobRow>,
    next: Option<String>,
    is_first: bool,
}

/// What the rule could not do.
struct Problem {
    at: Moment,
    image: String,
    reason: String,
}

struct JobRow {
    id: String,
    at: Moment,
    cause: &'static str,
}

#[derive(Template)]
#[template(path = "dry_run.html")]
struct DryRunPage {
    frame: Frame,
    form_key: String,
    title: String,
    name: String,
    summary: String,
    pairs: Vec<PairRow>,
    is_cut: bool,
}

struct PairRow {
    image: String,
    tenant: String,
    result: String,
    class: &'static str,
}

/// The path of the page of a rule.
pub(crate) fn path_of(name: &ShareRuleName) -> String {
    format!("/console/share-rule/{name}")
}

/// The rule that a path names.
pub(crate) fn named(name: &str) -> Result<ShareRuleName, Refusal> {
    name.parse().map_err(|_| Refusal::NoSuchPage)
}

/// Shows a page of the rules.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let listing = visit.listing("console share rules");
    let marker = visit.query.text("marker");
    let after: Option<ShareRuleName> = listing.decode_marker(marker).and_then(|name| name.parse().ok());
    let page = async { Ok(share_rules::list(&visit.app, visit.caller(), after.as_ref(), PAGE_SIZE).await?) };
    let (frame, page) = tokio::try_join!(Frame::load(visit, Some(Section::ShareRules)), page)?;
    Ok(Reply::page(&ShareRules {
        frame,
        can_write: authorize_write(visit.caller()).is_ok(),
        rows: page.items.iter().map(|rule| Row::new(rule, visit.texts)).collect(),
        next: page.next.map(|next| listing.encode_marker(next)),
        is_first: marker.is_empty(),
    }))
}

/// Shows a rule, and a page of the jobs that it has made.
pub(crate) async fn show_one(visit: &Visit<'_>, name: &str) -> Result<Reply, Refusal> {
    let name = named(name)?;
    let listing = visit.listing("console share rule jobs").with(name.as_str());
    let marker = visit.query.text("marker");
    let before = listing.decode_marker(marker).and_then(|job| job.parse().ok());
    let (app, caller) = (&visit.app, visit.caller());
    let rule = async { Ok(share_rules::show(app, caller, &name).await?) };
    let jobs = async { Ok(share_rules::jobs(app, caller, &name, before, PAGE_SIZE).await?) };
    let (frame, rule, jobs) = tokio::try_join!(Frame::load(visit, Some(Section::ShareRules)), rule, jobs)?;
    let texts = visit.texts;
    let ShareRule { details, .. } = &rule;
    let rows = jobs.items.iter().map(|made| JobRow {
        id: made.job.to_string(),
        at: Moment(made.job.0.time()),
        cause: cause_name(made.cause, texts),
    });
    Ok(Reply::page(&RulePage {
        frame,
        can_write: authorize_write(caller).is_ok(),
        title: fill(texts.own.share_rule, &[("name", name.as_str())]),
        name: name.to_string(),
        is_enabled: details.enabled,
        state: state_name(details, texts),
        withdraws: if details.withdraw_unmatched { visit.texts.own.yes } else { visit.texts.own.no },
        pattern: format!("{:#}", details.pattern.to_json()),
        recipients: recipients(details, texts),
        created: Moment(rule.created),
        updated: Moment(rule.updated),
        problem: rule.problem.as_ref().map(|problem| Problem {
            at: Moment(problem.at),
            image: problem.image.to_string(),
            reason: problem_reason(&problem.kind, texts),
        }),
        rest: rest(visit, &name).map(|_| visit.query.text(REST).to_owned()).unwrap_or_default(),
        form_key: visit::new_form_key(),
        jobs: rows.collect(),
        next: jobs.next.map(|next| listing.encode_marker(next)),
        is_first: marker.is_empty(),
    }))
}

/// Shows what a rule would do to the images that are there.
pub(crate) async fn dry_run(visit: &Visit<'_>, name: &str) -> Result<Reply, Refusal> {
    let name = named(name)?;
    let run = async { Ok(share_rules::dry_run(&visit.app, visit.caller(), &name).await?) };
    let (frame, run) = tokio::try_join!(Frame::load(visit, Some(Section::ShareRules)), run)?;
    let texts = visit.texts;
    let images = plural(run.images, texts.own.images_one, texts.own.images_many);
    let projects = plural(run.recipients, texts.own.projects_one, texts.own.projects_many);
    let summary = fill(
        if run.is_complete { texts.own.dry_run_of_all } else { texts.own.dry_run_of_some },
        &[("images", &images), ("projects", &projects)],
    );
    Ok(Reply::page(&DryRunPage {
        frame,
        form_key: visit::new_form_key(),
        title: fill(texts.own.dry_run_title, &[("name", name.as_str())]),
        name: name.to_string(),
        summary,
        is_cut: run.pair_count() > run.first_pairs.len(),
        pairs: run.first_pairs.iter().map(|pair| PairRow::new(pair, texts)).collect(),
    }))
}

/// Shares the images that a rule matches, and leads to the rule, where it can go on if there are more. The same form, sent
/// again, makes no other jobs. Costs what the use case says.
pub(crate) async fn apply(visit: &Visit<'_>, name: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let name = named(name)?;
    let after = rest(visit, &name);
    if after.is_none() && !visit.form.text(REST).is_empty() {
        return Err(Refusal::MalformedForm);
    }
    let key = visit.idempotency().map(|request| request.key_digest);
    let Application { jobs, next, .. } =
        share_rules::apply(&visit.app, visit.caller(), &name, after, key.as_deref()).await?;
    let mut fields: Vec<_> = jobs.iter().take(MAX_JOBS).map(|job| format!("job={job}")).collect();
    if fields.is_empty() {
        fields.push("done=applied-to-nothing".to_owned());
    }
    fields.extend(next.map(|next| format!("{REST}={}", rest_listing(visit, &name).encode_marker(next))));
    Ok(Reply::redirect(format!("{}?{}", path_of(&name), fields.join("&"))))
}

/// Where applying a rule continues, as the form or the query says; `None` if at the beginning, or the text is no marker of it.
fn rest(visit: &Visit<'_>, name: &ShareRuleName) -> Option<Marker> {
    let fields = if visit.is_form() { &visit.form } else { &visit.query };
    rest_listing(visit, name).decode_marker(fields.text(REST))?.parse().ok()
}

fn rest_listing(visit: &Visit<'_>, name: &ShareRuleName) -> Listing {
    visit.listing("console apply rule").with(name.as_str())
}

/// Enables or disables a rule.
pub(crate) async fn set_enabled(visit: &Visit<'_>, name: &str, enabled: bool) -> Result<Reply, Refusal> {
    let name = named(name)?;
    let location = format!("{}?done=saved", path_of(&name));
    share_rules::set_enabled(&visit.app, visit.caller(), name, enabled).await?;
    Ok(Reply::redirect(location))
}

/// Asks whether to delete a rule.
pub(crate) async fn ask_to_delete(visit: &Visit<'_>, name: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let name = named(name)?;
    let rule = async { Ok(share_rules::show(&visit.app, visit.caller(), &name).await?) };
    let (frame, _) = tokio::try_join!(Frame::load(visit, Some(Section::ShareRules)), rule)?;
    let (path, texts) = (path_of(&name), visit.texts);
    let confirmation = Confirmation {
        lines: vec![texts.own.rule_shares_stay.to_owned()],
        items: vec![Item { id: name.to_string(), ..Item::default() }],
        ..Confirmation::new(frame, texts.own.delete_share_rule, format!("{path}/delete"), path)
    };
    Ok(confirmation.reply())
}

/// Deletes a rule. One that is gone is deleted already.
pub(crate) async fn delete(visit: &Visit<'_>, name: &str) -> Result<Reply, Refusal> {
    share_rules::delete(&visit.app, visit.caller(), named(name)?).await?;
    Ok(Reply::redirect(format!("{}?done=deleted", Section::ShareRules.path())))
}

fn state_name(details: &RuleDetails, texts: &'static Texts) -> &'static str {
    if details.enabled { texts.own.enabled } else { texts.own.disabled }
}

/// The recipients that a rule names, in the words of its form.
fn recipients(details: &RuleDetails, texts: &'static Texts) -> Vec<String> {
    let named = &details.recipients;
    let projects = named.projects.iter().map(|id| fill(texts.own.recipient_project, &[("id", id.as_str())]));
    let accounts = named.accounts.iter().map(|account| match account {
        TenantName { account, project: Some(project) } => {
            fill(texts.own.recipient_name, &[("account", account.as_str()), ("project", project.as_str())])
        }
        TenantName { account, project: None } => {
            fill(texts.own.recipient_account, &[("account", account.as_str())])
        }
    });
    let organizations =
        named.organizations.iter().map(|id| fill(texts.own.recipient_organization, &[("id", id.as_str())]));
    projects.chain(accounts).chain(organizations).collect()
}

fn cause_name(cause: ShareRuleCause, texts: &'static Texts) -> &'static str {
    match cause {
        ShareRuleCause::ImageMatched => texts.own.cause_matched,
        ShareRuleCause::ImageUnmatched => texts.own.cause_unmatched,
        ShareRuleCause::TenantJoined => texts.own.cause_joined,
        ShareRuleCause::Applied => texts.own.cause_applied,
    }
}

fn problem_reason(kind: &RuleProblemKind, texts: &'static Texts) -> String {
    match kind {
        RuleProblemKind::NotShared { visibility } => {
            fill(texts.own.rule_not_shared, &[("visibility", owned::visibility_name(*visibility, texts))])
        }
        RuleProblemKind::ProjectNameAsId { named, tenant } => {
            fill(texts.own.name_as_id, &[("name", named.as_str()), ("id", tenant.as_str())])
        }
        RuleProblemKind::QueueFull { .. } => texts.own.rule_queue_full.to_owned(),
        RuleProblemKind::Refused => texts.own.rule_refused.to_owned(),
    }
}

impl Row {
    fn new(rule: &ShareRule, texts: &'static Texts) -> Self {
        let count = rule.details.recipients.len();
        Self {
            name: rule.name.to_string(),
            recipients: plural(count, texts.own.recipients_one, texts.own.recipients_many),
            is_enabled: rule.details.enabled,
            state: state_name(&rule.details, texts),
            problem: rule.problem.is_some(),
            updated: Moment(rule.updated),
        }
    }
}

impl PairRow {
    fn new(pair: &DryRunPair, texts: &'static Texts) -> Self {
        let (result, class) = match pair.result {
            PairResult::Shared => (texts.own.would_be_shared.to_owned(), "accepted"),
            PairResult::Unchanged => (texts.own.is_shared_already.to_owned(), "pending"),
            PairResult::NotShared(visibility) => {
                let visibility = owned::visibility_name(visibility, texts);
                (fill(texts.own.rule_not_shared, &[("visibility", visibility)]), "rejected")
            }
            PairResult::Refused(outcome) => (wording::outcome(outcome, texts).to_owned(), "rejected"),
        };
        Self { image: pair.image.to_string(), tenant: pair.tenant.to_string(), result, class }
    }
}
