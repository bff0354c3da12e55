//! Share what matches already with a tenant that becomes a recipient of share rules.

use std::collections::BTreeMap;

use super::jobs::{Order, execute_or_record, owner_as_caller};
use super::matching::matching_images;
use super::recipients::{is_here, is_recipient};
use crate::App;
use crate::domain::{
    DirectoryEntry, ImageId, RecipientGroup, ShareRule, ShareRuleCause, ShareRuleName, TenantId,
};
use crate::store::StoreError;
use crate::usecases::error::UseCaseError;

/// The most images of one job.
const IMAGES_PER_JOB: usize = 100;

/// Lets share rules act on a change of the directory: a tenant that becomes a recipient, by its account, its name, its
/// organization or its region, gets the images that match already. One that no longer is a recipient keeps what it
/// has.
///
/// Handling an event again, or after later ones, changes nothing: see the module's documentation.
///
/// Costs one query for each new account or organization. If rules name it, one batch read for every 100 of them, one
/// read, and for each enabled rule a scan of its owner's images and its jobs.
///
/// # Errors
/// [`StoreError`] if the table failed: the event has to be handled again.
pub async fn tenant_joined(
    app: &App,
    old: Option<&DirectoryEntry>,
    new: Option<&DirectoryEntry>,
) -> Result<(), StoreError> {
    let Some(new) = new.filter(|new| is_here(app, new)) else { return Ok(()) };
    let old = old.filter(|old| is_here(app, old));
    let rules = rules_naming(app, old, new).await?;
    if rules.is_empty() {
        return Ok(());
    }
    // Another change may be on its way. It is the entry as it is now that is a recipient, or is not.
    let current = app.store.entry(&new.tenant).await?;
    let Some(current) = current.filter(|entry| is_here(app, entry)) else { return Ok(()) };
    for ((owner, _), rule) in &rules {
        if is_recipient(app, owner, &rule.details.recipients, &current).await? {
            share_matching_images(app, owner, rule, &current.tenant).await?;
        }
    }
    Ok(())
}

/// The enabled rules of which a tenant has become a recipient, each once.
async fn rules_naming(
    app: &App,
    old: Option<&DirectoryEntry>,
    new: &DirectoryEntry,
) -> Result<BTreeMap<(TenantId, ShareRuleName), ShareRule>, StoreError> {
    let mut rules = BTreeMap::new();
    for group in RecipientGroup::of(new) {
        if old.is_some_and(|old| is_unchanged_in(&group, old, new)) {
            continue;
        }
        let mut after = None;
        loop {
            let (found, next) = app.store.share_rules_of_group(&group, after.as_ref()).await?;
            let joined = found.into_iter().filter(|(_, rule)| {
                let recipients = &rule.details.recipients;
                let was_recipient = old.is_some_and(|old| recipients.name_entry(old));
                rule.details.enabled && recipients.name_entry(new) && !was_recipient
            });
            rules.extend(joined.map(|(owner, rule)| ((owner, rule.name.clone()), rule)));
            match next {
                Some(_) => after = next,
                None => break,
            }
        }
    }
    Ok(rules)
}

/// Whether the two versions of an entry are the same in all by which a rule can name a member of the group.
fn is_unchanged_in(group: &RecipientGroup, old: &DirectoryEntry, new: &DirectoryEntry) -> bool {
    match group {
        RecipientGroup::Account(_) => (&old.account, &old.project) == (&new.account, &new.project),
        RecipientGroup::Organization(_) => old.organization == new.organization,
    }
}

/// Shares the images that a rule matches with one tenant.
async fn share_matching_images(
    app: &App,
    owner: &TenantId,
    rule: &ShareRule,
    tenant: &TenantId,
) -> Result<(), StoreError> {
    let caller = owner_as_caller(owner);
    let mut after = None;
    loop {
        let page = matching_images(app, &caller, &rule.details.pattern, after, IMAGES_PER_JOB).await;
        let page = match page {
            Ok(page) => page,
            Err(UseCaseError::Store(problem)) => return Err(problem),
            // Only a marker can be refused, and this one is the list's own.
            Err(_) => return Ok(()),
        };
        let shareable = page.images.iter().filter(|image| image.visibility.allows_sharing());
        let images: Vec<_> = shareable.map(|image| image.id.clone()).collect();
        if !images.is_empty() {
            let ids: Vec<_> = images.iter().map(ImageId::as_str).collect();
            let key = format!("{tenant}\0{}", ids.join("\0"));
            let recipients = std::slice::from_ref(tenant);
            let cause = ShareRuleCause::TenantJoined;
            let order = Order { rule, cause, images: &images, recipients, key: Some(&key) };
            execute_or_record(app, owner, order).await?;
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}
