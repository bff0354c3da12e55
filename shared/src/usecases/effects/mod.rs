//! What follows from a change once it is stored: events for those whom it concerns, and what share rules do.
//!
//! The changes come from the table's stream, in batches, at least once. Everything here gives the same result when it is
//! done again: an event has the same id.

mod events;
mod messages;

use std::collections::BTreeSet;

use super::share_rules::{image_changed, tenant_joined};
use crate::App;
use crate::domain::{Bypass, Event, JobId, JobReport};
use crate::store::{ItemChange, StoreError};

/// Carries out what follows from changes: writes the messages of the events that they make. Returns these events, in
/// order; the caller publishes them. Share rules act on images and on entries of the directory, by jobs whose own changes
/// come later.
///
/// Costs one batch read for every 100 images and recipients of changed memberships, a query for each large job of which a
/// work item has ended, and one write for each message; and what share rules cost ([`image_changed`], [`tenant_joined`]).
///
/// # Errors
/// [`StoreError`] if the table failed. Everything is done again, then, when the changes are delivered again.
pub async fn carry_out_effects(app: &App, changes: &[ItemChange]) -> Result<Vec<Event>, StoreError> {
    let context = events::Context::read(app, changes).await?;
    // A job's own item may come before the memberships of the same transaction, but its end is told after theirs.
    let (mut found, mut ended_jobs) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            ItemChange::Image { old, new, at } => {
                found.extend(events::of_image(old.as_deref(), new.as_deref(), *at));
                image_changed(app, old.as_deref(), new.as_deref()).await?;
            }
            ItemChange::Membership(change) => found.extend(context.events_of(change)),
            ItemChange::JobEnded(report) => ended_jobs.extend(events::of_job(report)),
            ItemChange::KeyGrantEnded { grant, created, at } => {
                found.extend(events::of_grant(grant, *created, *at));
            }
            ItemChange::DirectoryEntry { old, new } => {
                tenant_joined(app, old.as_deref(), new.as_deref()).await?;
            }
            ItemChange::WorkItemEnded(_) => {}
        }
    }
    for job in large_jobs(changes) {
        ended_jobs.extend(ended_report(app, job).await?.as_ref().and_then(events::of_job));
    }
    found.append(&mut ended_jobs);
    messages::deliver(app, &found).await?;
    Ok(found)
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
