//! What follows from a change once it is stored: events for those whom it concerns, messages, the list of a project's
//! jobs, and what share rules do.
//!
//! The changes come from the table's stream, in batches, at least once. Everything here gives the same result when it is
//! done again: an event has the same id.
//!
//! Events come first, since nobody has to wait for them, and a share rule may make many jobs.

mod events;
mod job_entries;
mod messages;

use std::collections::BTreeSet;

pub use self::job_entries::list_accepted_jobs;
pub use self::messages::deliver_messages;
use super::share_rules::{image_changed, tenant_joined};
use crate::App;
use crate::domain::{Bypass, Event, JobId, JobReport};
use crate::store::{ItemChange, StoreError};

/// Derives the events of changes, in order.
///
/// Costs one batch read for every 100 images and recipients of changed memberships, and a query for each large job of
/// which a work item has ended.
///
/// # Errors
/// [`StoreError`] if the table failed.
pub async fn derive_events(app: &App, changes: &[ItemChange]) -> Result<Vec<Event>, StoreError> {
    let context = events::Context::read(app, changes).await?;
    // A job's own item may come before the memberships of the same transaction, but its end is told after theirs.
    let (mut found, mut ended_jobs) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            ItemChange::Image { old, new, at } => {
                found.extend(events::of_image(old.as_deref(), new.as_deref(), *at));
            }
            ItemChange::Membership(change) => found.extend(context.events_of(change)),
            ItemChange::JobAccepted(report) | ItemChange::JobEnded(report) => {
                ended_jobs.extend(events::of_job(report));
            }
            ItemChange::KeyGrantEnded { grant, created, at } => {
                found.extend(events::of_grant(grant, *created, *at));
            }
            ItemChange::DirectoryEntry { .. } | ItemChange::WorkItemEnded(_) => {}
        }
    }
    for job in large_jobs(changes) {
        ended_jobs.extend(ended_report(app, job).await?.as_ref().and_then(events::of_job));
    }
    found.append(&mut ended_jobs);
    Ok(found)
}

/// Lets share rules act on a change of an image or of the directory, by jobs whose own changes come later. Costs what
/// [`image_changed`] and [`tenant_joined`] cost; nothing for any other change.
///
/// # Errors
/// [`StoreError`] if the table failed: the change has to be handled again.
pub async fn apply_share_rules(app: &App, change: &ItemChange) -> Result<(), StoreError> {
    match change {
        ItemChange::Image { old, new, .. } => image_changed(app, old.as_deref(), new.as_deref()).await,
        ItemChange::DirectoryEntry { old, new } => tenant_joined(app, old.as_deref(), new.as_deref()).await,
        ItemChange::Membership(_)
        | ItemChange::JobAccepted(_)
        | ItemChange::JobEnded(_)
        | ItemChange::WorkItemEnded(_)
        | ItemChange::KeyGrantEnded { .. } => Ok(()),
    }
}

/// The large jobs of which a work item has ended.
fn large_jobs(changes: &[ItemChange]) -> BTreeSet<JobId> {
    let ended = changes.iter().filter_map(|change| match change {
        ItemChange::WorkItemEnded(job) => Some(*job),
        _ => None,
    });
    ended.collect()
}

/// The report of a job, if all of its work items have ended.
async fn ended_report(app: &App, job: JobId) -> Result<Option<JobReport>, StoreError> {
    let report = app.store.report(job).await?.map(|report| report.bypass(Bypass::Effects));
    Ok(report.filter(|report| report.ended_at().is_some()))
}
