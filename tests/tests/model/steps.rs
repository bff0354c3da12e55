//! Checks the steps of jobs: each outcome that a job reports was right, and was done, at one moment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{ImageId, JobId, JobReport, Limits, Outcome, Stamp, Status, TenantId, Visibility};

use crate::expectations::{PairResult, Task};
use crate::inbox::InboxCounts;
use crate::model::{Job, Model, PairChange, Violation};
use crate::state::{ImageKind, Pair, PairId, PolicyEffect, State, image_kind};

/// What a job reports after a step.
#[derive(Debug)]
pub struct JobProgress {
    pub job: JobId,
    /// The outcomes of its pairs, in order.
    pub outcomes: Vec<(PairId, Outcome)>,
    /// Whether it has ended.
    pub is_ended: bool,
}

impl JobProgress {
    /// The content of a report.
    pub fn from_report(report: &JobReport) -> Self {
        let of =
            report.outcomes().map(|(image, tenant, progress)| ((image.clone(), tenant.clone()), progress));
        Self { job: report.job.id, outcomes: of.collect(), is_ended: report.ended_at().is_some() }
    }
}

/// What a step has written, and its process.
#[derive(Debug, Clone, Copy)]
pub struct StepWrites<'a> {
    /// The state of the first read for its plan.
    pub since: usize,
    /// The memberships that were written; `None` if unknown, so that those are assumed that had to be.
    pub memberships: Option<&'a BTreeSet<PairId>>,
    /// Those of them that a policy accepts; `None` if unknown, like these.
    pub accepted: Option<&'a BTreeSet<PairId>>,
    /// The inbox counts of the process.
    pub counts: &'a InboxCounts,
}

impl Model {
    /// Applies a step of a job that has reported these outcomes.
    pub fn apply_step(&mut self, progress: &JobProgress, written: StepWrites<'_>) -> Result<(), Violation> {
        let job = self.jobs.get(&progress.job).ok_or(format!("job {} is unknown", progress.job))?;
        let new = new_outcomes(job, progress, written.memberships)?;
        let mut step = Step {
            task: job.task,
            at: progress.job.0,
            model: self,
            written,
            past_states: self.states[written.since..].to_vec(),
            next_state: self.state().clone(),
            pending_growth: BTreeMap::new(),
        };
        let mut pair_changes = Vec::new();
        for (pair, outcome) in &new {
            let (changes, effect) = step.execute(pair, *outcome).map_err(|violation| {
                format!("job {}, {:?} of {pair:?}: {violation}", progress.job, step.task)
            })?;
            let counts = match outcome {
                // Sharing with a member again changes nothing, even if no new member could be added.
                Outcome::Done => changes || step.task != Task::Share,
                Outcome::Superseded => changes,
                _ => false,
            };
            if counts {
                pair_changes.extend(
                    pair_change(step.task, effect).map(|change| (pair.clone(), progress.job.0, change)),
                );
            }
        }
        let next = step.next_state;
        self.pair_changes.extend(pair_changes);
        self.states.push(next);
        let now = self.current_index();
        let job = self.jobs.get_mut(&progress.job).ok_or("the job")?;
        job.outcome_states.extend(new.iter().map(|(pair, _)| (pair.clone(), now)));
        job.outcomes.extend(new);
        job.is_ended = progress.is_ended;
        if progress.is_ended { self.check_completeness(progress.job) } else { Ok(()) }
    }

    /// Applies a job that was executed with its request, and then could not be written: the request failed, and no
    /// client has the job's id. `written` are the memberships that it has changed.
    pub fn apply_unwritten_job(
        &mut self,
        id: JobId,
        written: &BTreeSet<PairId>,
        counts: &InboxCounts,
    ) -> Result<(), Violation> {
        let task = self.jobs.get(&id).ok_or(format!("job {id} is unknown"))?.task;
        let outcome = |pair: &PairId| {
            let mut then = self.state().clone();
            task.execute(&mut then, id.0, pair, PolicyEffect::None);
            if task.is_done(&then.pair(&pair.0, &pair.1)) { Outcome::Done } else { Outcome::Superseded }
        };
        let outcomes = written.iter().map(|pair| (pair.clone(), outcome(pair))).collect();
        let progress = JobProgress { job: id, outcomes, is_ended: false };
        let since = self.current_index();
        self.apply_step(&progress, StepWrites { since, memberships: Some(written), accepted: None, counts })?;
        self.jobs.remove(&id);
        Ok(())
    }

    /// A decision on everything concerns what was pending and visible when it was requested, and until it ended.
    fn check_completeness(&self, id: JobId) -> Result<(), Violation> {
        let job = &self.jobs[&id];
        let (Task::RespondToAll(decision), Some(tenant)) = (job.task, &job.tenant) else { return Ok(()) };
        let states = &self.states[job.accepted..];
        let is_of_owner = |state: &State, image: &ImageId| {
            decision.owner.is_none_or(|owner| state.images[image].owner.as_str() == owner)
        };
        if let Some((image, _)) = job.outcomes.keys().find(|(image, _)| !is_of_owner(self.state(), image)) {
            return Err(format!("job {id} has decided on {image}, which is of another owner"));
        }
        let waits = |state: &State, image: &ImageId| {
            let is_hidden = state.image(image).is_some_and(|image| image.visibility != Visibility::Shared);
            // A job of some owners leaves out what is deleted.
            let is_of_owner =
                decision.owner.is_none() || state.image(image).is_some_and(|_| is_of_owner(state, image));
            state.pair(image, tenant).was_pending(id.0) && !is_hidden && is_of_owner
        };
        // An image is visible again when the job of that change is executed.
        let is_in_sight = |image: &ImageId| {
            let pair = (image.clone(), tenant.clone());
            let mut of_pair =
                self.jobs.values().filter(|job| job.task == Task::Refresh && job.pairs.contains(&pair));
            of_pair.all(|refresh| refresh.outcome_states.get(&pair).is_some_and(|done| *done <= job.accepted))
        };
        let waited = |image: &ImageId| is_in_sight(image) && states.iter().all(|state| waits(state, image));
        let waiting = states[0].received(tenant, Status::Pending);
        let mut left = waiting.into_iter().filter(|image| waited(image));
        let left = left.find(|image| !job.outcomes.contains_key(&(image.clone(), tenant.clone())));
        left.map_or(Ok(()), |image| {
            Err(format!("job {id} has left out {image}, which was pending for {tenant}"))
        })
    }
}

/// The outcomes that are new in a report.
fn new_outcomes(
    job: &Job,
    progress: &JobProgress,
    written: Option<&BTreeSet<PairId>>,
) -> Result<Vec<(PairId, Outcome)>, Violation> {
    let id = progress.job;
    let all: BTreeMap<_, _> = progress.outcomes.iter().cloned().collect();
    if all.len() < progress.outcomes.len() {
        return Err(format!("job {id} reports a pair twice: {:?}", progress.outcomes));
    }
    if let Some(unsaid) = job.outcomes.iter().find(|(pair, outcome)| all.get(pair) != Some(outcome)) {
        return Err(format!("job {id} no longer reports {unsaid:?}"));
    }
    let new = progress
        .outcomes
        .iter()
        .filter(|(pair, _)| !job.outcomes.contains_key(pair))
        .cloned()
        .collect::<Vec<_>>();
    let is_new = |pair: &PairId| new.iter().any(|(progress, _)| progress == pair);
    if let Some(pair) = written.into_iter().flatten().find(|pair| !is_new(pair)) {
        return Err(format!("job {id} has written {pair:?} without a new outcome"));
    }
    Ok(new)
}

/// Checks a step of a job, pair by pair.
struct Step<'a> {
    task: Task,
    at: Stamp,
    model: &'a Model,
    written: StepWrites<'a>,
    /// The states since the worker's read, with the changes of the step so far.
    past_states: Vec<State>,
    /// The present state, with them.
    next_state: State,
    /// The number of images of an owner that the step has made pending for a tenant.
    pending_growth: BTreeMap<(TenantId, TenantId), i64>,
}

impl Step<'_> {
    /// Returns whether the pair changes, and what a policy does to it.
    fn execute(&mut self, pair: &PairId, outcome: Outcome) -> Result<(bool, PolicyEffect), Violation> {
        let written = self.written.memberships.map(|written| written.contains(pair));
        let changes = written.unwrap_or_else(|| self.would_change(pair, outcome));
        // A policy accepts a share only while it is there, so by what it says when the share is written.
        let present = self.next_state.policy_effect(pair, self.at);
        let would_accept =
            || changes && self.task == Task::Share && matches!(present, PolicyEffect::Accepted(_));
        let accepted = self.written.accepted.map(|accepted| accepted.contains(pair));
        let is_accepted = accepted.unwrap_or_else(would_accept);
        let effect = if is_accepted { present } else { PolicyEffect::None };
        let is = PairResult { outcome, changes, is_accepted };
        let expected = self.possible_results(pair, (changes, is_accepted));
        if !expected.contains(&is) {
            return Err(format!("{is:?}, expected one of {expected:?}"));
        }
        if changes {
            let was = self.next_state.pair(&pair.0, &pair.1);
            self.task.execute(&mut self.next_state, self.at, pair, effect);
            let then = self.next_state.pair(&pair.0, &pair.1);
            self.check_outcome(outcome, &then)?;
            self.record_pending_growth(pair, &was, &then);
            for then in &mut self.past_states {
                self.task.execute(then, self.at, pair, effect);
            }
        }
        Ok((changes, effect))
    }

    /// Whether a pair with this outcome has to change.
    fn would_change(&self, pair: &PairId, outcome: Outcome) -> bool {
        let limits = self.possible_limits(pair);
        let mut fates = limits
            .iter()
            .map(|limits| self.task.expected_pair_result(&self.next_state, limits, self.at, pair));
        fates.any(|fate| fate.outcome == outcome && fate.changes)
    }

    /// A job never reports success for a pair that is then in another state, and reports `overtaken` only if there is
    /// a later request.
    fn check_outcome(&self, outcome: Outcome, then: &Pair) -> Result<(), Violation> {
        let is_true = match outcome {
            Outcome::Done => self.task.is_done(then),
            Outcome::Superseded => !self.task.is_done(then) && self.task.is_overtaken(then, self.at),
            _ => false,
        };
        if is_true { Ok(()) } else { Err(format!("reported {outcome:?} of {then:?}")) }
    }

    fn record_pending_growth(&mut self, (image, tenant): &PairId, was: &Pair, then: &Pair) {
        let waits = |pair: &Pair| i64::from(pair.status() == Some(Status::Pending));
        if let Some(record) = self.next_state.image(image) {
            *self.pending_growth.entry((tenant.clone(), record.owner.clone())).or_default() +=
                waits(then) - waits(was);
        }
    }

    /// The possible outcomes of a pair. A change is planned from the present membership; whether the image still
    /// exists and is shared matters only for a new member. An acceptance by a policy is planned from the present
    /// policy, and anything else from one that was read.
    fn possible_results(&self, pair: &PairId, (changes, is_accepted): (bool, bool)) -> Vec<PairResult> {
        let limits = self.possible_limits(pair);
        let mut effects: BTreeSet<_> = if self.task != Task::Share {
            [PolicyEffect::None].into()
        } else if is_accepted {
            [self.next_state.policy_effect(pair, self.at)].into()
        } else {
            self.next_state.possible_policy_effects(&self.past_states, pair, self.at)
        };
        effects.retain(|effect| !changes || matches!(effect, PolicyEffect::Accepted(_)) == is_accepted);
        // A membership tells of its newest accepted share only.
        if changes && self.next_state.pair(&pair.0, &pair.1).is_accepted_later(self.at) {
            effects.insert(PolicyEffect::None);
        }
        let all = |then: &State| {
            let assume = |effect| State { assumed_effect: Some(effect), ..then.clone() };
            let results = |then: &State| {
                let result = |limits| self.task.expected_pair_result(then, limits, self.at, pair);
                limits.iter().map(result).collect::<Vec<_>>()
            };
            if effects.len() == 1 && effects.contains(&then.policy_effect(pair, self.at)) {
                return results(then);
            }
            effects.iter().flat_map(|effect| results(&assume(*effect))).collect()
        };
        if !changes {
            let moments = observable_states(&self.past_states, pair);
            let fates =
                moments.iter().map(|(place, then)| self.exclude_early_denials(all(then), *place, pair));
            return fates.flatten().collect();
        }
        if self.task == Task::Share && !self.next_state.is_member(&pair.0, &pair.1) {
            return all(&self.next_state);
        }
        self.past_states.iter().flat_map(|then| all(&with_images_of(then, &self.next_state))).collect()
    }

    /// While an earlier request on the pair is acknowledged and not executed, a decision is never refused because
    /// there is no membership.
    fn exclude_early_denials(
        &self,
        mut fates: Vec<PairResult>,
        place: usize,
        pair: &PairId,
    ) -> Vec<PairResult> {
        let state = self.written.since + place;
        let is_denied = fates.iter().any(|fate| fate.outcome == Outcome::NotAMember);
        if is_denied && !self.model.is_settled(pair, state, Some(JobId(self.at))) {
            fates.retain(|fate| fate.outcome != Outcome::NotAMember);
        }
        fates
    }

    /// The inbox limits that may have applied to the pair's tenant.
    fn possible_limits(&self, (image, tenant): &PairId) -> Vec<Limits> {
        let Some(record) = self.next_state.images.get(image) else { return vec![self.model.limits] };
        let of_owner =
            self.pending_growth.get(&(tenant.clone(), record.owner.clone())).copied().unwrap_or_default();
        let of_all =
            self.pending_growth.iter().filter(|((to, _), _)| to == tenant).map(|(_, growth)| growth).sum();
        let (states, since) = (&self.model.states, self.written.since);
        let rooms = self.written.counts.possible_rooms(
            (states, since),
            &self.model.limits,
            (tenant, &record.owner),
            (of_all, of_owner),
        );
        rooms.into_iter().map(|room| room.apply_to(&self.model.limits)).collect()
    }
}

/// What may have been read of a pair during those states: any of them, and if its image needs a key grant or a vault,
/// which are read later, the image of one and the rest of a later one. Each comes with the index of the latest.
pub fn observable_states<'a>(states: &'a [State], pair: &PairId) -> Vec<(usize, Cow<'a, State>)> {
    let mut moments: Vec<_> = states.iter().map(Cow::Borrowed).enumerate().collect();
    if image_kind(&pair.0) != ImageKind::Plain {
        for (place, first) in states.iter().enumerate() {
            let later = states.iter().enumerate().skip(place + 1);
            moments.extend(later.map(|(place, second)| (place, Cow::Owned(with_images_of(first, second)))));
        }
    }
    moments
}

/// A state with the images of an earlier one: an existing membership is updated even if its image is being hidden or
/// deleted.
pub fn with_images_of(then: &State, now: &State) -> State {
    State { images: then.images.clone(), ..now.clone() }
}

fn pair_change(task: Task, effect: PolicyEffect) -> Option<PairChange> {
    let asks_nothing = matches!(effect, PolicyEffect::Accepted(_));
    match task {
        Task::Share => Some(PairChange::Share { asks_nothing }),
        Task::Unshare => Some(PairChange::Unshare),
        Task::Respond(decision) | Task::RespondToAll(decision) => Some(PairChange::Decide(decision.status)),
        Task::Refresh => None,
    }
}
