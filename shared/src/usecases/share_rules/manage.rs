//! Create, read, change and delete share rules.

use super::error::ShareRuleError;
use super::recipients::own_organization;
use crate::App;
use crate::domain::{
    Caller, JobId, MAX_SHARE_RULES, RuleDetails, RuleRecipients, ShareRequestError, ShareRule, ShareRuleName,
    authorize_write,
};
use crate::store::{Commit, PutShareRuleOutcome, ShareRuleJob};
use crate::usecases::directory::reject_names_as_ids;
use crate::usecases::error::UseCaseError;
use crate::usecases::page::Page;

/// The most attempts while other requests change the rule.
const MAX_ATTEMPTS: u32 = 10;

/// Creates a share rule of the caller's project, or replaces its details, and returns it. It acts on what happens from
/// now on: what matches already is shared by [`apply`](super::apply()). Costs one read and one transaction, both again
/// after a conflict, one batch read for recipients that are given by their ids, and one read for organizations.
///
/// # Errors
/// [`ShareRuleError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn put(
    app: &App,
    caller: &Caller,
    name: ShareRuleName,
    details: &RuleDetails,
) -> Result<ShareRule, ShareRuleError> {
    authorize_write(caller)?;
    check_recipients(app, caller, details).await?;
    for _ in 0..MAX_ATTEMPTS {
        let previous = app.store.share_rule(&caller.tenant, &name).await?;
        let now = app.clock().now();
        let rule = ShareRule {
            name: name.clone(),
            details: details.clone(),
            revision: previous.as_ref().map_or(1, |previous| previous.revision + 1),
            version: app.clock().stamp(),
            created: previous.as_ref().map_or(now, |previous| previous.created),
            updated: now,
            problem: None,
        };
        if write(app, caller, previous.as_ref(), &rule).await? {
            return Ok(rule);
        }
    }
    Err(ShareRuleError::Conflict(name))
}

/// Enables or disables a share rule of the caller's project, and returns it. Costs one read and one transaction, both
/// again after a conflict; a rule that is as wanted is not written.
///
/// # Errors
/// [`ShareRuleError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn set_enabled(
    app: &App,
    caller: &Caller,
    name: ShareRuleName,
    enabled: bool,
) -> Result<ShareRule, ShareRuleError> {
    authorize_write(caller)?;
    for _ in 0..MAX_ATTEMPTS {
        let previous = show(app, caller, &name).await?;
        if previous.details.enabled == enabled {
            return Ok(previous);
        }
        let rule = ShareRule {
            details: RuleDetails { enabled, ..previous.details.clone() },
            revision: previous.revision + 1,
            version: app.clock().stamp(),
            updated: app.clock().now(),
            problem: None,
            ..previous.clone()
        };
        if write(app, caller, Some(&previous), &rule).await? {
            return Ok(rule);
        }
    }
    Err(ShareRuleError::Conflict(name))
}

/// Writes a rule, and returns whether that succeeded; if not, another request has changed it.
async fn write(
    app: &App,
    caller: &Caller,
    previous: Option<&ShareRule>,
    rule: &ShareRule,
) -> Result<bool, ShareRuleError> {
    match app.store.put_share_rule(&caller.tenant, previous, rule).await? {
        PutShareRuleOutcome::Written => Ok(true),
        PutShareRuleOutcome::Conflict => Ok(false),
        PutShareRuleOutcome::LimitReached => Err(ShareRuleError::TooMany(MAX_SHARE_RULES)),
    }
}

/// Refuses recipients that no image of the caller would reach: the caller itself, an organization of others, and a
/// project's name in place of its id.
async fn check_recipients(app: &App, caller: &Caller, details: &RuleDetails) -> Result<(), ShareRuleError> {
    let RuleRecipients { projects, organizations, .. } = &details.recipients;
    if projects.contains(&caller.tenant) {
        return Err(UseCaseError::from(ShareRequestError::SelfShare(caller.tenant.clone())).into());
    }
    if !organizations.is_empty() {
        let own = own_organization(app, &caller.tenant).await?;
        if let Some(foreign) = organizations.iter().find(|named| own.as_ref() != Some(*named)) {
            return Err(ShareRuleError::ForeignOrganization(foreign.clone()));
        }
    }
    if !projects.is_empty() {
        let tenants: Vec<_> = projects.iter().chain([&caller.tenant]).collect();
        let snapshot = app.store.heads_and_tenants(&[], &tenants).await?;
        reject_names_as_ids(app, caller, &snapshot, projects).await?;
    }
    Ok(())
}

/// Returns a share rule of the caller's project. Costs one read.
///
/// # Errors
/// [`ShareRuleError`]
pub async fn show(app: &App, caller: &Caller, name: &ShareRuleName) -> Result<ShareRule, ShareRuleError> {
    let rule = app.store.share_rule(&caller.tenant, name).await?;
    rule.ok_or_else(|| ShareRuleError::NotFound(name.clone()))
}

/// Lists the share rules of the caller's project: at most `limit`, after `after`. Costs one query.
///
/// # Errors
/// [`ShareRuleError`] if the table failed.
pub async fn list(
    app: &App,
    caller: &Caller,
    after: Option<&ShareRuleName>,
    limit: usize,
) -> Result<Page<ShareRule, ShareRuleName>, ShareRuleError> {
    let (rules, more) = app.store.share_rules(&caller.tenant, after, limit).await?;
    Ok(Page::new(rules, more, |last| last.name.clone()))
}

/// Deletes a share rule of the caller's project. What it has shared stays shared. A missing rule is no error. Costs
/// one read and one transaction, both again after a conflict.
///
/// # Errors
/// [`ShareRuleError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn delete(app: &App, caller: &Caller, name: ShareRuleName) -> Result<(), ShareRuleError> {
    authorize_write(caller)?;
    for _ in 0..MAX_ATTEMPTS {
        let Some(read) = app.store.share_rule(&caller.tenant, &name).await? else { return Ok(()) };
        if app.store.delete_share_rule(&caller.tenant, &read).await? == Commit::Committed {
            return Ok(());
        }
    }
    Err(ShareRuleError::Conflict(name))
}

/// Lists the jobs that a share rule of the caller's project has made in the last 30 days, the newest first: at most
/// `limit`, before `before`. Costs one read and one query.
///
/// # Errors
/// [`ShareRuleError`]
pub async fn jobs(
    app: &App,
    caller: &Caller,
    name: &ShareRuleName,
    before: Option<JobId>,
    limit: usize,
) -> Result<Page<ShareRuleJob, JobId>, ShareRuleError> {
    show(app, caller, name).await?;
    let (jobs, more) = app.store.rule_jobs(&caller.tenant, name, before, limit).await?;
    Ok(Page::new(jobs, more, |last| last.job))
}
