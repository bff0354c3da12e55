//! The writes of an actor, applied to the model.

use std::collections::BTreeSet;
use std::mem;

use imageshare::domain::{JobId, Stamp, TenantId};
use imageshare::store::{is_sender_write, opens_work_item};
use imageshare::table::Write;
use tokio::time::Instant;

use super::Run;
use super::actor::ActorKind;
use crate::history::{IMAGES, LATER_IMAGES, Request, image_id};
use crate::model::{AppliedRequest, JobOrigin, OrderedRequest, ReadContext, Violation};
use crate::state::{PairId, State};
use crate::steps::{JobProgress, StepWrites};
use crate::writes::{self, created_job, is_queue_maintenance, membership_pair};

impl Run<'_> {
    /// Applies a write to the model.
    pub(super) async fn record_writes(&mut self, place: usize, writes: &[Write]) -> Result<(), Violation> {
        // It changes no membership.
        if writes.iter().all(is_sender_write) || writes.iter().all(writes::advances_clock) {
            return Ok(());
        }
        let work_items: Vec<_> =
            writes.iter().filter(|write| opens_work_item(write)).filter_map(writes::work_item).collect();
        self.delivered.extend(&work_items);
        let before = self.model.current_index();
        let since = self.actors[place].first_read.map_or(before, |(since, _)| since);
        if is_queue_maintenance(writes) {
            for job in writes.iter().filter_map(writes::dequeued_job) {
                self.model.check_dequeued(job)?;
            }
        } else {
            match self.actors[place].kind.clone() {
                ActorKind::Client(request) => self.apply_request(place, &request, writes).await?,
                ActorKind::Effects(_) => self.apply_rule_job(place, None, writes).await?,
                ActorKind::Applier { rule, .. } => self.apply_rule_job(place, Some(rule), writes).await?,
                ActorKind::Worker(_) | ActorKind::Sweeper => {
                    // A sweep's counter of attempts is written, too.
                    if let Some(job) = writes::stepped_job(writes) {
                        let since = self.actors[place]
                            .first_read
                            .take()
                            .ok_or("a worker writes without having read")?;
                        self.apply_step(place, job, since, writes).await?;
                    }
                }
            }
        }
        for work_item in work_items.iter().filter(|work_item| work_item.number > 0) {
            self.model.release_job(work_item.job)?;
        }
        self.add_to_counts(place, (since, before), writes);
        Ok(())
    }

    pub(super) async fn apply_request(
        &mut self,
        place: usize,
        request: &Request,
        writes: &[Write],
    ) -> Result<(), Violation> {
        let actor = &mut self.actors[place];
        let is_again = mem::replace(&mut actor.has_written, true);
        // A batch that was executed at once, but whose response was lost, is queued as well.
        if is_again && (actor.jobs.is_empty() || request.key().is_some()) {
            return Err(format!("{request:?} has written twice"));
        }
        let made = created_job(writes);
        actor.jobs.extend(made.map(|(job, _)| job));
        let read = actor.first_read.take();
        let since = read.unwrap_or((actor.began, actor.begun_at));
        let counts = self.processes[actor.process].counts.valid_since(since.1);
        let reading = ReadContext { began: actor.began, since: since.0, counts: &counts };
        // An immediate change has the newest stamp of what it writes.
        let at = made.map(|(job, _)| job.0).or(writes.iter().filter_map(writes::newest_stamp).max());
        // A batch that was executed at once without changing anything has no place in the order.
        let mut pairs = match made {
            Some((_, JobOrigin::Queued)) => affected_pairs(request),
            _ => writes.iter().filter_map(membership_pair).collect(),
        };
        // Nothing follows the deletion of an image.
        pairs.retain(|pair| self.model.state().image(&pair.0).is_some());
        let has_place = !matches!(request, Request::DeleteImage { .. } | Request::SetVisibility { .. });
        if let Some(stamp) = at.filter(|_| has_place && !pairs.is_empty()) {
            actor.ordered_requests.push(self.model.ordered.len());
            let (what, began) = (format!("{request:?}"), actor.tick);
            self.model.ordered.push(OrderedRequest {
                description: what,
                pairs,
                stamp,
                began,
                answered: None,
            });
        }
        let at = at.unwrap_or(Stamp::first_of(self.local.service.clock().now()));
        let accepted = writes.iter().filter_map(|write| writes::pair_accepted_by_policy(write, at)).collect();
        let applied = AppliedRequest { at, job: made, accepted: Some(accepted) };
        self.model.apply_request(request, reading, applied)?;
        match made {
            Some((job, JobOrigin::Immediate)) => {
                self.statistics.count_immediate_batch();
                self.apply_step(place, job, since, writes).await
            }
            _ => Ok(()),
        }
    }

    async fn apply_step(
        &mut self,
        place: usize,
        job: JobId,
        since: (usize, Instant),
        writes: &[Write],
    ) -> Result<(), Violation> {
        let report = self.local.job_report(job).await;
        let memberships = writes.iter().filter_map(membership_pair).collect::<BTreeSet<_>>();
        let accepted =
            writes.iter().filter_map(|write| writes::pair_accepted_by_policy(write, job.0)).collect();
        self.statistics.count_step();
        let counts = self.processes[self.actors[place].process].counts.valid_since(since.1);
        let written = StepWrites {
            since: since.0,
            memberships: Some(&memberships),
            accepted: Some(&accepted),
            counts: &counts,
        };
        let progress = JobProgress::from_report(&report);
        let before = self.model.jobs.get(&job).map_or(0, |job| job.outcomes.len());
        self.statistics.count_outcomes(progress.outcomes.iter().map(|(_, outcome)| *outcome).skip(before));
        self.model.apply_step(&progress, written)
    }

    /// A process adds its own writes to its counts if it got the response to the write, except those on an image that
    /// was deleted when it read.
    fn add_to_counts(&mut self, place: usize, (since, before): (usize, usize), writes: &[Write]) {
        let actor = &self.actors[place];
        let now = self.model.current_index();
        if actor.loses_response || now == before {
            return;
        }
        let (was, is) = (&self.model.states[before], &self.model.states[now]);
        for pair in writes.iter().filter_map(membership_pair) {
            let waits = |state: &State| i64::from(state.is_pending(&pair));
            let growth = waits(is) - waits(was);
            let owner = self.model.states[since].image(&pair.0).map(|image| &image.owner);
            if let Some(owner) = owner.filter(|_| growth != 0) {
                self.processes[actor.process].counts.record_growth(
                    now,
                    (pair.1.clone(), owner.clone()),
                    growth,
                );
            }
        }
    }
}

/// The pairs of a request whose order with other requests is promised.
fn affected_pairs(request: &Request) -> BTreeSet<PairId> {
    let of_all = |named: &TenantId| {
        IMAGES.iter().chain(&LATER_IMAGES).map(|id| (image_id(id), named.clone())).collect::<BTreeSet<_>>()
    };
    match request {
        Request::RespondToAll { named, .. } => of_all(named),
        request => request.pairs(),
    }
}
