//! The service's model: told in which order things took effect, it says what each of them does, and holds the service to
//! what it said itself.
//!
//! Somebody at work reads first and writes later. What is written must be right at the moment of writing; a refusal, and
//! a pair of a job that changes nothing, at some moment since that reading. So every state is kept.

use imageshare::domain::{ImageId, JobId, Limits, Outcome, Stamp, Status, TenantId, Visibility};
use std::collections::{BTreeMap, BTreeSet};

use crate::history::Request;
use crate::judge::{Expected, Task};
use crate::state::{Names, Record, State, made_of};
use crate::steps::{moments, seen};

/// What the model finds wrong with the service.
pub type Wrong = String;

/// A job that was accepted.
#[derive(Debug)]
pub struct Job {
    /// Who has asked for it.
    pub by: TenantId,
    pub task: Task,
    pub pairs: BTreeSet<Names>,
    /// Whose answer it is, where it names no images.
    pub tenant: Option<TenantId>,
    /// The state in which it was accepted.
    pub accepted: usize,
    /// What it says of the pairs that were carried out.
    pub says: BTreeMap<Names, Outcome>,
    /// The states in which they had just been carried out.
    pub done: BTreeMap<Names, usize>,
}

/// Something that was done to a pair, with success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Share { asks_nothing: bool },
    Unshare,
    Answer(Status),
}

#[derive(Debug)]
pub struct Model {
    pub limits: Limits,
    /// Every state there was; the last is the present one.
    pub states: Vec<State>,
    pub jobs: BTreeMap<JobId, Job>,
    /// All that was said to have been done.
    pub deeds: Vec<(Names, Stamp, Deed)>,
}

impl Model {
    pub fn new(limits: Limits) -> Self {
        Self { limits, states: vec![State::default()], jobs: BTreeMap::new(), deeds: Vec::new() }
    }

    pub fn now(&self) -> usize {
        self.states.len() - 1
    }

    pub fn state(&self) -> &State {
        &self.states[self.now()]
    }

    /// A request has written something, at once or as the job `made`. `at` is later than all that it had read.
    pub fn granted(
        &mut self,
        request: &Request,
        since: usize,
        at: Stamp,
        made: Option<JobId>,
    ) -> Result<(), Wrong> {
        let is_granted = |state: &State| request.judged(state, &self.limits) == Expected::Granted;
        let mut next = self.state().clone();
        let is_job = request.makes_a_job();
        // What a job does is looked at again when it is carried out; but nobody uses a key twice.
        let is_right = match (is_job, request.key()) {
            // What brings nobody in goes on where the image is being hidden just then.
            (false, _) if !request.brings_in() => {
                self.states[since..].iter().any(|then| is_granted(&seen(then, &next)))
            }
            (false, _) => is_granted(&next),
            (true, None) => self.states[since..].iter().any(is_granted),
            (true, Some((by, key))) => {
                let is_new = !next.keys.contains_key(&(by.clone(), key));
                is_new && self.states[since..].iter().any(is_granted)
            }
        };
        if !is_right {
            return Err(format!(
                "{request:?} was granted; expected {:?}",
                request.judged(&next, &self.limits)
            ));
        }
        match request {
            Request::Share { by, images, to, .. } => self.accept(by, made, Task::Share, images, to)?,
            Request::Unshare { by, images, to, .. } => self.accept(by, made, Task::Unshare, images, to)?,
            Request::Respond { named, images, says, .. } => {
                self.accept(named, made, Task::Respond(*says), images, std::slice::from_ref(named))?;
            }
            Request::RespondToAll { named, says, .. } => {
                self.accept(named, made, Task::RespondToAll(*says), &[], std::slice::from_ref(named))?;
            }
            Request::Register { owner, image, visibility } => {
                let record = Record { owner: owner.clone(), visibility: *visibility, is_alive: true };
                next.images.insert(image.clone(), record);
            }
            Request::Show { by, image, visibility } => {
                let was = next.image(image).map(|image| image.visibility).ok_or("no image")?;
                let is_seen = was != *visibility && [was, *visibility].contains(&Visibility::Shared);
                let members: Vec<_> = next.members(image).into_keys().collect();
                if made.is_some() != (is_seen && !members.is_empty()) {
                    return Err(format!("{image} had {} members; {request:?} made {made:?}", members.len()));
                }
                if made.is_some() {
                    self.accept(by, made, Task::Refresh, std::slice::from_ref(image), &members)?;
                }
                set_visibility(&mut next, image, *visibility);
            }
            Request::Delete { by, image } => {
                next.images.get_mut(image).ok_or("no image")?.is_alive = false;
                let members: Vec<_> = next.members(image).into_keys().collect();
                if members.is_empty() == made.is_some() {
                    return Err(format!("{image} had {} members; its deletion made {made:?}", members.len()));
                }
                if made.is_some() {
                    self.accept(by, made, Task::Unshare, std::slice::from_ref(image), &members)?;
                }
            }
            Request::Add { image, to, .. } => {
                self.shares(&mut next, (image, to), at, false);
            }
            Request::Remove { image, to, .. } => self.unshares(&mut next, (image, to), at),
            Request::Answer { image, named, says, .. } => {
                let pair = (image.clone(), named.clone());
                next.pair_mut(image, named).say(at, *says, made_of(image));
                self.deeds.push((pair, at, Deed::Answer(says.status)));
            }
            Request::Grant { by, to, is_granted: true } => {
                next.grants.insert((by.clone(), to.clone()));
            }
            Request::Grant { by, to, is_granted: false } => {
                next.grants.remove(&(by.clone(), to.clone()));
            }
            Request::Vault { by, vault, gib: Some(gib) } => {
                next.vaults.insert((by.clone(), *vault), *gib);
            }
            Request::Vault { by, vault, gib: None } => {
                next.vaults.remove(&(by.clone(), *vault));
            }
            Request::Permit { image, add, remove, .. } => {
                for to in add {
                    self.shares(&mut next, (image, to), at, true);
                }
                for to in remove {
                    self.unshares(&mut next, (image, to), at);
                }
            }
        }
        if let Some(((by, key), made)) = request.key().zip(made) {
            next.keys.insert((by.clone(), key), (request.digest(), made));
        }
        self.states.push(next);
        Ok(())
    }

    /// A request that wrote nothing was answered: rightly, if that was the answer to give at some moment since it came.
    pub fn answered(
        &self,
        request: &Request,
        since: usize,
        is: impl Fn(&Expected) -> bool,
    ) -> Result<(), Wrong> {
        let states = &self.states[since..];
        let judged = |state: &State| request.judged(state, &self.limits);
        let expected: Vec<_> = match request.pair() {
            None => states.iter().map(judged).collect(),
            Some(pair) => moments(states, &pair).iter().map(|state| judged(state)).collect(),
        };
        if expected.iter().any(is) {
            Ok(())
        } else {
            Err(format!("{request:?}: expected one of {expected:?}"))
        }
    }

    fn accept(
        &mut self,
        by: &TenantId,
        id: Option<JobId>,
        task: Task,
        images: &[ImageId],
        tenants: &[TenantId],
    ) -> Result<(), Wrong> {
        let pairs =
            images.iter().flat_map(|image| tenants.iter().map(|tenant| (image.clone(), tenant.clone())));
        let tenant = tenants.first().filter(|_| images.is_empty()).cloned();
        let (by, accepted, says, done) = (by.clone(), self.now(), BTreeMap::new(), BTreeMap::new());
        let job = Job { by, task, pairs: pairs.collect(), tenant, accepted, says, done };
        let id = id.ok_or("no job was made")?;
        self.jobs.insert(id, job).map_or(Ok(()), |_| Err(format!("job {id} was made twice")))
    }

    fn shares(
        &mut self,
        state: &mut State,
        (image, to): (&ImageId, &TenantId),
        at: Stamp,
        asks_nothing: bool,
    ) {
        state.pair_mut(image, to).share(at, asks_nothing, made_of(image));
        self.deeds.push(((image.clone(), to.clone()), at, Deed::Share { asks_nothing }));
    }

    fn unshares(&mut self, state: &mut State, (image, to): (&ImageId, &TenantId), at: Stamp) {
        state.pair_mut(image, to).unshare(at);
        self.deeds.push(((image.clone(), to.clone()), at, Deed::Unshare));
    }
}

fn set_visibility(state: &mut State, image: &ImageId, visibility: Visibility) {
    if let Some(image) = state.images.get_mut(image) {
        image.visibility = visibility;
    }
}
