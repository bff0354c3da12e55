//! The model of the service. It is given the order in which requests and steps took effect, derives what each of them
//! does, and compares that with what the service returned.
//!
//! An actor reads first and writes later. What it writes has to be right at the moment of the write. A refusal, or a
//! pair of a job that does not change, has to be right at some moment since the read. So every state is kept.

use imageshare::domain::{ImageId, JobId, Limits, Outcome, Stamp, Status, TenantId, Visibility};
use std::collections::{BTreeMap, BTreeSet};

use crate::expectations::{ExpectedResult, Task, max_stamp};
use crate::history::Request;
use crate::inbox::{InboxCounts, Room};
use crate::state::{ImageRecord, PairId, PolicyEffect, State, image_kind};
use crate::steps::{observable_states, with_images_of};

/// A difference between the model and the service.
pub type Violation = String;

/// An accepted job.
#[derive(Debug)]
pub struct Job {
    /// Its caller.
    pub creator: TenantId,
    pub task: Task,
    pub pairs: BTreeSet<PairId>,
    /// The tenant that decides, if the job names no images.
    pub tenant: Option<TenantId>,
    /// The state in which it was accepted.
    pub accepted: usize,
    /// Its origin.
    pub origin: JobOrigin,
    /// The outcomes of its pairs so far.
    pub outcomes: BTreeMap<PairId, Outcome>,
    /// The state since which it has had these outcomes.
    pub outcome_states: BTreeMap<PairId, usize>,
    pub is_ended: bool,
    /// Whether its work items have been created.
    pub is_released: bool,
}

/// Where a job comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobOrigin {
    /// It was executed in its request.
    Immediate,
    /// It was queued.
    Queued,
    /// The deletion of an image, or a change of its visibility, created it.
    ImageChange,
}

/// A request whose order with others is promised.
#[derive(Debug)]
pub struct OrderedRequest {
    pub description: String,
    pub pairs: BTreeSet<PairId>,
    pub stamp: Stamp,
    /// When it was received and answered, counted in events.
    pub began: u64,
    pub answered: Option<u64>,
}

/// A successful change of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairChange {
    Share { asks_nothing: bool },
    Unshare,
    Decide(Status),
}

#[derive(Debug)]
pub struct Model {
    pub limits: Limits,
    /// All states; the last one is the present.
    pub states: Vec<State>,
    pub jobs: BTreeMap<JobId, Job>,
    /// All changes that were reported.
    pub pair_changes: Vec<(PairId, Stamp, PairChange)>,
    /// The requests in the order in which they were received.
    pub ordered: Vec<OrderedRequest>,
}

/// The states that a request was planned from.
#[derive(Debug, Clone, Copy)]
pub struct ReadContext<'a> {
    /// The state in which it was received.
    pub began: usize,
    /// The state of the first read for its plan.
    pub since: usize,
    /// The inbox counts of its process.
    pub counts: &'a InboxCounts,
}

/// What a request has written.
#[derive(Debug, Clone)]
pub struct AppliedRequest {
    /// The stamp of an immediate change.
    pub at: Stamp,
    /// The job that was created, and its origin.
    pub job: Option<(JobId, JobOrigin)>,
    /// The pairs whose share a policy accepts; `None` if unknown, so that those are assumed that had to be.
    pub accepted: Option<BTreeSet<PairId>>,
}

impl Model {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            states: vec![State::default()],
            jobs: BTreeMap::new(),
            pair_changes: Vec::new(),
            ordered: Vec::new(),
        }
    }

    pub fn current_index(&self) -> usize {
        self.states.len() - 1
    }

    pub fn state(&self) -> &State {
        &self.states[self.current_index()]
    }

    /// Whether a queued request of the image's owner on the pair was acknowledged but not executed in that state, so
    /// that others have to wait for it. With `before`, only an earlier one counts.
    pub fn has_open_work(&self, pair: &PairId, state: usize, before: Option<JobId>) -> bool {
        // A deleted image has no owner whose queue could be read.
        self.states[state].image(&pair.0).is_some()
            && self.open_jobs(pair, state, before).any(|job| matches!(job.task, Task::Share | Task::Unshare))
    }

    /// Whether the pair as read in that state may be returned: no request was open on it, or those that were have
    /// ended by now without changing it.
    pub fn is_settled(&self, pair: &PairId, state: usize, before: Option<JobId>) -> bool {
        let is_as_it_was = || {
            let (was, is) = (&self.states[state], self.state());
            was.pair(&pair.0, &pair.1) == is.pair(&pair.0, &pair.1)
        };
        !self.has_open_work(pair, state, before)
            || (!self.has_open_work(pair, self.current_index(), before) && is_as_it_was())
    }

    /// The queued jobs that have not finished with a pair in that state.
    fn open_jobs(&self, pair: &PairId, state: usize, before: Option<JobId>) -> impl Iterator<Item = &Job> {
        let older = self.jobs.iter().filter(move |(id, _)| before.is_none_or(|before| **id < before));
        older.map(|(_, job)| job).filter(move |job| {
            let is_open =
                job.accepted < state && job.outcome_states.get(pair).is_none_or(|reported| *reported > state);
            job.origin == JobOrigin::Queued && is_open && job.pairs.contains(pair)
        })
    }

    /// Whether a request is about a single pair, by one of its parties: such a request waits for open ones on the
    /// pair.
    fn awaited_pair(&self, request: &Request) -> Option<PairId> {
        let pair = request.pair()?;
        let image = self.state().images.get(&pair.0)?;
        (image.owner == *request.caller() || pair.1 == *request.caller()).then_some(pair)
    }

    /// Checks a response that an earlier request is in progress.
    pub fn is_in_progress(&self, request: &Request) -> bool {
        self.awaited_pair(request)
            .is_some_and(|pair| self.open_jobs(&pair, self.current_index(), None).next().is_some())
    }

    /// Whether a decision in a job waits for an earlier request on one of its pairs. One of several workers may wait
    /// for what was accepted after another one has executed the pair.
    pub fn has_older_work(&self, id: JobId) -> bool {
        let Some(job) = self.jobs.get(&id).filter(|job| matches!(job.task, Task::Respond(_))) else {
            return false;
        };
        // An owner's decisions on its own image are in its own queue, too.
        job.pairs.iter().any(|pair| self.open_jobs(pair, self.current_index(), Some(id)).next().is_some())
    }

    /// The limits that may apply to a request.
    fn possible_limits(&self, request: &Request, reading: ReadContext<'_>) -> Vec<Limits> {
        let Some((image, tenant)) = request.pair() else { return vec![self.limits] };
        let Some(record) = self.state().images.get(&image) else { return vec![self.limits] };
        let states = (&self.states[..], reading.since);
        let rooms = reading.counts.possible_rooms(states, &self.limits, (&tenant, &record.owner), (0, 0));
        rooms.into_iter().map(|room| room.apply_to(&self.limits)).collect()
    }

    /// Whether a request to remove a policy had nothing to remove in some state since then.
    pub fn was_without_policy(&self, request: &Request, began: usize) -> bool {
        let Request::SetPolicy { by, owner, policy: None } = request else { return false };
        self.states[began..].iter().any(|state| !state.policies.contains_key(&(by.clone(), owner.clone())))
    }

    /// What a policy has done to a member that a request added. It accepts a share only while it is there, and leaves
    /// one as it is if it was not there at some moment since the read.
    fn policy_effect(
        &self,
        pair: &PairId,
        reading: ReadContext<'_>,
        granted: &AppliedRequest,
    ) -> Result<PolicyEffect, Violation> {
        let present = self.state().policy_effect(pair, granted.at);
        let would_be = matches!(present, PolicyEffect::Accepted(_));
        let is_accepted = granted.accepted.as_ref().map_or(would_be, |accepted| accepted.contains(pair));
        let past = || {
            let read = &self.states[reading.since..];
            self.state().possible_policy_effects(read, pair, granted.at)
        };
        if is_accepted && would_be {
            Ok(present)
        } else if !is_accepted && past().contains(&PolicyEffect::None) {
            Ok(PolicyEffect::None)
        } else {
            Err(format!("{pair:?} was accepted by a policy: {is_accepted}; expected {present:?}"))
        }
    }

    /// Checks a successful request: it had to succeed in a state that it read, and to wait for earlier requests.
    fn check_accepted(&self, request: &Request, reading: ReadContext<'_>) -> Result<(), Violation> {
        let began = reading.began;
        let limits = self.possible_limits(request, reading);
        let is_granted = |state: &State| {
            limits.iter().any(|limits| request.expected_result(state, limits) == ExpectedResult::Accepted)
        };
        let next = self.state();
        let is_job = request.creates_job();
        let since = if request.pair().is_some() { reading.since } else { began };
        // A job is checked again when it is executed, but no idempotency key is used twice.
        let is_right = match (is_job, request.key()) {
            // A change that adds no member is executed even if the image is being hidden.
            (false, _) if !request.adds_members() => {
                self.states[since..].iter().any(|then| is_granted(&with_images_of(then, next)))
            }
            (false, _) if matches!(request, Request::SetPolicy { .. }) => {
                self.states[began..].iter().any(is_granted)
            }
            // A policy that is set in between leaves a new member.
            (false, _) => {
                let with_policies_of =
                    |then: &State| State { policies: then.policies.clone(), ..next.clone() };
                let is_granted_by = |then: &State| match request.pair() {
                    Some(pair) if matches!(request, Request::AddMember { .. }) => {
                        let effects = next.possible_policy_effects(&self.states[since..], &pair, max_stamp());
                        let assume = |effect| State { assumed_effect: Some(effect), ..next.clone() };
                        effects.into_iter().any(|effect| is_granted(&assume(effect)))
                    }
                    _ => is_granted(&with_policies_of(then)),
                };
                is_granted(next) || self.states[since..].iter().any(is_granted_by)
            }
            (true, None) => self.states[began..].iter().any(is_granted),
            (true, Some((by, key))) => {
                let is_new = !next.keys.contains_key(&(by.clone(), key));
                is_new && self.states[began..].iter().any(is_granted)
            }
        };
        if !is_right {
            return Err(format!(
                "{request:?} succeeded; expected {:?}",
                request.expected_result(next, &Room::Available.apply_to(&self.limits))
            ));
        }
        if let Some(pair) = self.awaited_pair(request)
            && (reading.since..=self.current_index()).all(|state| self.has_open_work(&pair, state, None))
        {
            return Err(format!("{request:?} has not waited for an earlier request about {pair:?}"));
        }
        Ok(())
    }

    /// Applies what a request has written, at once or as a job.
    pub fn apply_request(
        &mut self,
        request: &Request,
        reading: ReadContext<'_>,
        granted: AppliedRequest,
    ) -> Result<(), Violation> {
        self.check_accepted(request, reading)?;
        let (at, made) = (granted.at, granted.job);
        let mut next = self.state().clone();
        match request {
            Request::Share { by, images, to, .. } => self.add_job(by, made, Task::Share, images, to)?,
            Request::Unshare { by, images, to, .. } => self.add_job(by, made, Task::Unshare, images, to)?,
            Request::Respond { named, images, decision, .. } => {
                self.add_job(named, made, Task::Respond(*decision), images, std::slice::from_ref(named))?;
            }
            Request::RespondToAll { named, decision, .. } => {
                self.add_job(named, made, Task::RespondToAll(*decision), &[], std::slice::from_ref(named))?;
            }
            Request::RegisterImage { owner, image, visibility } => {
                let record = ImageRecord { owner: owner.clone(), visibility: *visibility, exists: true };
                next.images.insert(image.clone(), record);
            }
            Request::SetVisibility { by, image, visibility } => {
                let was = next.image(image).map(|image| image.visibility).ok_or("no image")?;
                let is_seen = was != *visibility && [was, *visibility].contains(&Visibility::Shared);
                let members: Vec<_> = next.members(image).into_keys().collect();
                if made.is_some() != (is_seen && !members.is_empty()) {
                    return Err(format!(
                        "{image} had {} members; {request:?} created {made:?}",
                        members.len()
                    ));
                }
                if made.is_some() {
                    let made = made.map(|(id, _)| (id, JobOrigin::ImageChange));
                    self.add_job(by, made, Task::Refresh, std::slice::from_ref(image), &members)?;
                }
                set_visibility(&mut next, image, *visibility);
            }
            Request::DeleteImage { by, image } => {
                next.images.get_mut(image).ok_or("no image")?.exists = false;
                let members: Vec<_> = next.members(image).into_keys().collect();
                if members.is_empty() == made.is_some() {
                    return Err(format!(
                        "{image} had {} members; its deletion created {made:?}",
                        members.len()
                    ));
                }
                if made.is_some() {
                    let made = made.map(|(id, _)| (id, JobOrigin::ImageChange));
                    self.add_job(by, made, Task::Unshare, std::slice::from_ref(image), &members)?;
                }
            }
            Request::AddMember { image, to, .. } => {
                let effect = self.policy_effect(&(image.clone(), to.clone()), reading, &granted)?;
                self.record_share(
                    &mut next,
                    (image, to),
                    at,
                    (matches!(effect, PolicyEffect::Accepted(_)), effect),
                );
            }
            Request::RemoveMember { image, to, .. } => self.record_unshare(&mut next, (image, to), at),
            Request::Decide { image, named, decision, .. } => {
                let pair = (image.clone(), named.clone());
                next.pair_mut(image, named).decide(at, *decision, image_kind(image));
                self.pair_changes.push((pair, at, PairChange::Decide(decision.status)));
            }
            Request::SetKeyGrant { by, to, is_granted: true } => {
                next.grants.insert((by.clone(), to.clone()));
            }
            Request::SetKeyGrant { by, to, is_granted: false } => {
                next.grants.remove(&(by.clone(), to.clone()));
            }
            Request::SetPolicy { by, owner, policy: Some(policy) } => {
                next.policies.insert((by.clone(), owner.clone()), *policy);
            }
            Request::SetPolicy { by, owner, policy: None } => {
                next.policies.remove(&(by.clone(), owner.clone()));
            }
            Request::SetVault { by, vault, gib: Some(gib) } => {
                next.vaults.insert((by.clone(), *vault), *gib);
            }
            Request::SetVault { by, vault, gib: None } => {
                next.vaults.remove(&(by.clone(), *vault));
            }
            Request::ChangePermissions { image, add, remove, .. } => {
                for to in add {
                    self.record_share(&mut next, (image, to), at, (true, PolicyEffect::None));
                }
                for to in remove {
                    self.record_unshare(&mut next, (image, to), at);
                }
            }
        }
        if let Some(((by, key), (made, _))) = request.key().zip(made) {
            next.keys.insert((by.clone(), key), (request.digest(), made));
        }
        self.states.push(next);
        Ok(())
    }

    /// Checks the response to a request that wrote nothing: it was right in some state since the request was
    /// received. For a request on a single pair, that is a state since its last read, in which nothing earlier was
    /// open on the pair.
    pub fn check_response(
        &self,
        request: &Request,
        reading: ReadContext<'_>,
        is: impl Fn(&ExpectedResult) -> bool,
    ) -> Result<(), Violation> {
        let limits = self.possible_limits(request, reading);
        let judged = |state: &State| {
            limits.iter().map(|limits| request.expected_result(state, limits)).collect::<Vec<_>>()
        };
        let expected: Vec<_> = match request.pair() {
            // Policies are read after everything else.
            None if matches!(request, Request::ChangePermissions { .. }) => {
                let states = &self.states[reading.began..];
                let later = |(place, then): (usize, &State)| {
                    let policies = states.iter().skip(place).map(|state| state.policies.clone());
                    policies.map(|policies| State { policies, ..then.clone() }).collect::<Vec<_>>()
                };
                let moments: Vec<_> = states.iter().enumerate().flat_map(later).collect();
                moments.iter().flat_map(judged).collect()
            }
            None => self.states[reading.began..].iter().flat_map(judged).collect(),
            Some(pair) => {
                let waits_for = self.awaited_pair(request);
                let is_free = |place: &usize| {
                    let state = reading.since + place;
                    waits_for.as_ref().is_none_or(|pair| self.is_settled(pair, state, None))
                };
                let moments = observable_states(&self.states[reading.since..], &pair);
                let moments = moments.iter().filter(|(place, _)| is_free(place));
                let states = &self.states[reading.since..];
                // A policy, and then its vault, are read after the pair.
                let by_policies = |state: &State| {
                    let effects = state.possible_policy_effects(states, &pair, max_stamp());
                    let assume = |effect| State { assumed_effect: Some(effect), ..state.clone() };
                    effects.into_iter().flat_map(|effect| judged(&assume(effect))).collect::<Vec<_>>()
                };
                moments.flat_map(|(_, state)| by_policies(state)).collect()
            }
        };
        if expected.iter().any(is) {
            Ok(())
        } else {
            Err(format!("{request:?}: expected one of {expected:?}"))
        }
    }

    /// Checks the creation of a large job's work items: no other job of its tenant in the same queue may have any.
    pub fn release_job(&mut self, id: JobId) -> Result<(), Violation> {
        let job = self.jobs.get_mut(&id).ok_or(format!("job {id} is unknown"))?;
        if std::mem::replace(&mut job.is_released, true) || job.origin == JobOrigin::ImageChange {
            return Ok(());
        }
        let (by, takes) = (job.creator.clone(), job.task == Task::Unshare);
        let is_rival = |(other, job): &(&JobId, &Job)| {
            let is_of_line = job.creator == by && (job.task == Task::Unshare) == takes;
            **other != id && is_of_line && job.origin == JobOrigin::Queued && job.is_released && !job.is_ended
        };
        match self.jobs.iter().find(is_rival) {
            None => Ok(()),
            Some((other, _)) => Err(format!("the large jobs {other} and {id} of {by} are active")),
        }
    }

    /// Applies the removal of a job from a queue.
    pub fn check_dequeued(&self, id: JobId) -> Result<(), Violation> {
        if self.jobs.get(&id).is_some_and(|job| job.is_ended) {
            Ok(())
        } else {
            Err(format!("job {id} was taken out of its queue and has not ended"))
        }
    }

    pub fn add_job(
        &mut self,
        by: &TenantId,
        made: Option<(JobId, JobOrigin)>,
        task: Task,
        images: &[ImageId],
        tenants: &[TenantId],
    ) -> Result<(), Violation> {
        let pairs =
            images.iter().flat_map(|image| tenants.iter().map(|tenant| (image.clone(), tenant.clone())));
        let tenant = tenants.first().filter(|_| images.is_empty()).cloned();
        let (id, made) = made.ok_or("no job was created")?;
        let job = Job {
            creator: by.clone(),
            task,
            pairs: pairs.collect(),
            tenant,
            accepted: self.current_index(),
            origin: made,
            outcomes: BTreeMap::new(),
            outcome_states: BTreeMap::new(),
            is_ended: false,
            is_released: false,
        };
        self.jobs.insert(id, job).map_or(Ok(()), |_| Err(format!("job {id} was created twice")))
    }

    fn record_share(
        &mut self,
        state: &mut State,
        (image, to): (&ImageId, &TenantId),
        at: Stamp,
        (asks_nothing, effect): (bool, PolicyEffect),
    ) {
        let pair = state.pair_mut(image, to);
        match effect {
            PolicyEffect::Accepted(_) => pair.share_by_policy(at, effect, image_kind(image)),
            PolicyEffect::None | PolicyEffect::Refused => pair.share(at, asks_nothing, image_kind(image)),
        }
        self.pair_changes.push(((image.clone(), to.clone()), at, PairChange::Share { asks_nothing }));
    }

    fn record_unshare(&mut self, state: &mut State, (image, to): (&ImageId, &TenantId), at: Stamp) {
        state.pair_mut(image, to).unshare(at, image_kind(image));
        self.pair_changes.push(((image.clone(), to.clone()), at, PairChange::Unshare));
    }
}

fn set_visibility(state: &mut State, image: &ImageId, visibility: Visibility) {
    if let Some(image) = state.images.get_mut(image) {
        image.visibility = visibility;
    }
}
