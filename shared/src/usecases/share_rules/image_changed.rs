//! Let share rules act on an image that was registered or changed.

use std::collections::HashSet;

use super::jobs::{Order, execute_or_record, owner_as_caller};
use super::recipients::resolve_recipients;
use crate::App;
use crate::domain::{Image, ImageChange, ShareRule, ShareRuleCause, TenantId, is_visible_change};
use crate::store::StoreError;
use crate::usecases::error::UseCaseError;
use crate::usecases::images::show_image;

/// Lets the enabled rules of an image's owner act on its registration or change. A rule that the image begins to match
/// shares it with the rule's recipients. One that it no longer matches unshares it from them if the rule says so,
/// except from those of other rules that it still matches. A deleted image needs no rule: its memberships end with it.
///
/// Handling an event again, or after later ones, changes nothing: see the module's documentation.
///
/// Costs one query, and if a rule acts one batch read and what its recipients and its jobs cost; nothing if no pattern
/// can see the change.
///
/// # Errors
/// [`StoreError`] if the table failed: the event has to be handled again.
pub async fn image_changed(app: &App, old: Option<&Image>, new: Option<&Image>) -> Result<(), StoreError> {
    let Some(new) = new.filter(|new| is_visible_change(old, new)) else { return Ok(()) };
    let owner = &new.owner;
    let mut rules = app.store.readable_share_rules(owner).await?;
    rules.retain(|rule| rule.details.enabled);
    let changes: Vec<_> = rules.iter().filter_map(|rule| Some((rule, rule.change(old, new)?))).collect();
    if changes.is_empty() {
        return Ok(());
    }
    // Another change may be on its way. It is the image as it is now that is shared, or is not.
    let Some(current) = current_image(app, new).await? else { return Ok(()) };
    let key = format!("{}\0{}", new.id, new.revision);
    for (rule, change) in changes {
        let (cause, recipients) = match (change, rule.details.pattern.matches(&current)) {
            (ImageChange::Matched, true) => {
                let recipients = resolve_recipients(app, owner, &rule.details.recipients).await?;
                (ShareRuleCause::ImageMatched, recipients)
            }
            (ImageChange::Unmatched, false) => {
                (ShareRuleCause::ImageUnmatched, withdrawn_recipients(app, rule, &rules, &current).await?)
            }
            (ImageChange::Matched, false) | (ImageChange::Unmatched, true) => continue,
        };
        let images = [current.id.clone()];
        let order = Order { rule, cause, images: &images, recipients: &recipients, key: Some(&key) };
        execute_or_record(app, owner, order).await?;
    }
    Ok(())
}

/// The image as it is now; `None` if it was deleted.
async fn current_image(app: &App, image: &Image) -> Result<Option<Image>, StoreError> {
    match show_image(app, &owner_as_caller(&image.owner), &image.id).await {
        Ok(current) => Ok(Some(current)),
        Err(UseCaseError::Store(problem)) => Err(problem),
        Err(_) => Ok(None),
    }
}

/// The recipients of a rule, without those of the rules that an image matches.
async fn withdrawn_recipients(
    app: &App,
    rule: &ShareRule,
    rules: &[ShareRule],
    image: &Image,
) -> Result<Vec<TenantId>, StoreError> {
    let mut recipients = resolve_recipients(app, &image.owner, &rule.details.recipients).await?;
    let matching: Vec<_> = rules.iter().filter(|other| other.details.pattern.matches(image)).collect();
    for other in matching {
        let kept: HashSet<_> =
            resolve_recipients(app, &image.owner, &other.details.recipients).await?.into_iter().collect();
        recipients.retain(|tenant| !kept.contains(tenant));
    }
    Ok(recipients)
}
