//! The service's model: told in which order things took effect, it says what each of them does, and holds the service to
//! what it said itself.
//!
//! Somebody at work reads first and writes later. What is written must be right at the moment of writing; a refusal, and
//! a pair of a job that changes nothing, at some moment since that reading. So every state is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use imageshare::domain::{JobId, Limits, Outcome, Stamp, Visibility};

use crate::history::Request;
use crate::judge::{Expected, Fate, Task};
use crate::state::{Names, Record, State};

/// What the model finds wrong with the service.
pub type Wrong = String;

/// A job that was accepted.
#[derive(Debug)]
pub struct Job {
    pub task: Task,
    pub pairs: BTreeSet<Names>,
    /// What it says of the pairs that were carried out.
    pub says: BTreeMap<Names, Outcome>,
}

/// Something that was done to a pair, with success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Share { asks_nothing: bool },
    Unshare,
    Answer(imageshare::domain::Status),
}

#[derive(Debug)]
pub struct Model {
    pub limits: Limits,
    /// Every state there was; the last is the present one.
    states: Vec<State>,
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
        let is_job =
            matches!(request, Request::Share { .. } | Request::Unshare { .. } | Request::Respond { .. });
        // What a job does is looked at again when it is carried out; but nobody uses a key twice.
        let is_right = match (is_job, request.key()) {
            (false, _) if matches!(request, Request::Answer { .. }) => {
                (since..=self.now()).any(|then| is_granted(&self.seen(then, &next)))
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
            Request::Share { images, to, .. } => self.accept(made, Task::Share, images, to)?,
            Request::Unshare { images, to, .. } => self.accept(made, Task::Unshare, images, to)?,
            Request::Respond { named, images, says, .. } => {
                self.accept(made, Task::Respond(*says), images, std::slice::from_ref(named))?;
            }
            Request::Register { owner, image, visibility } => {
                let record = Record { owner: owner.clone(), visibility: *visibility, is_alive: true };
                next.images.insert(image.clone(), record);
            }
            Request::Show { image, visibility, .. } => set_visibility(&mut next, image, *visibility),
            Request::Delete { image, .. } => {
                next.images.get_mut(image).ok_or("no image")?.is_alive = false;
                let members: Vec<_> = next.members(image).into_keys().collect();
                if members.is_empty() == made.is_some() {
                    return Err(format!("{image} had {} members; its deletion made {made:?}", members.len()));
                }
                if made.is_some() {
                    self.accept(made, Task::Unshare, std::slice::from_ref(image), &members)?;
                }
            }
            Request::Add { image, to, .. } => {
                self.does(&mut next, (image.clone(), to.clone()), at, Deed::Share { asks_nothing: false });
            }
            Request::Remove { image, to, .. } => {
                self.does(&mut next, (image.clone(), to.clone()), at, Deed::Unshare);
            }
            Request::Answer { image, named, says, .. } => {
                self.does(&mut next, (image.clone(), named.clone()), at, Deed::Answer(*says));
            }
            Request::Permit { image, add, remove, .. } => {
                for to in add {
                    self.does(&mut next, (image.clone(), to.clone()), at, Deed::Share { asks_nothing: true });
                }
                for to in remove {
                    self.does(&mut next, (image.clone(), to.clone()), at, Deed::Unshare);
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
        let expected: Vec<_> =
            self.states[since..].iter().map(|state| request.judged(state, &self.limits)).collect();
        if expected.iter().any(is) {
            Ok(())
        } else {
            Err(format!("{request:?}: expected one of {expected:?}"))
        }
    }

    /// A step of a job was written, which had been decided from what was read since `since`: the job now says that of its
    /// pairs, in their order, and these memberships were written; where that is not known, those that had to be.
    pub fn stepped(
        &mut self,
        id: JobId,
        since: usize,
        says: &[(Names, Outcome)],
        written: Option<&BTreeSet<Names>>,
    ) -> Result<(), Wrong> {
        let (was, mut next, mut came) = (since..=self.now(), self.state().clone(), BTreeMap::new());
        let job = self.jobs.get(&id).ok_or(format!("job {id} is unknown"))?;
        let (task, known) = (job.task, job.says.clone());
        let new: BTreeMap<_, _> =
            says.iter().cloned().filter(|(pair, _)| !known.contains_key(pair)).collect();
        let unsaid = known.iter().find(|(pair, outcome)| !says.contains(&((*pair).clone(), **outcome)));
        if let Some(unsaid) = unsaid {
            return Err(format!("job {id} does not say any more that {unsaid:?}"));
        }
        if let Some(pair) = written.into_iter().flatten().find(|pair| !new.contains_key(pair)) {
            return Err(format!(
                "job {id} has written {pair:?} and says nothing of it, or has said it before"
            ));
        }
        for (pair, outcome) in says.iter().filter(|(pair, _)| new.contains_key(pair)) {
            let came: &mut usize = came.entry(pair.0.clone()).or_default();
            let changes = match written {
                Some(written) => written.contains(pair),
                None => task.fate(&next, &self.limits, id.0, pair, 0).changes,
            };
            let is = Fate { outcome: *outcome, changes };
            let expected = self.fates(task, id.0, pair, is.changes.then_some(&next), was.clone(), *came);
            if !expected.contains(&is) {
                return Err(format!("job {id}, {task:?} of {pair:?}: {is:?}, expected one of {expected:?}"));
            }
            if *outcome == Outcome::Done {
                self.deeds.push((pair.clone(), id.0, deed(task)));
            }
            if is.changes {
                let was_member = next.is_member(&pair.0, &pair.1);
                task.carry_out(&mut next, id.0, pair);
                *came += usize::from(!was_member && next.is_member(&pair.0, &pair.1));
            }
        }
        self.jobs.get_mut(&id).ok_or("the job")?.says.extend(new);
        self.states.push(next);
        Ok(())
    }

    /// What may become of a pair. What changes it is decided from the present one; whether its image is still there and
    /// shared counts then only for a member that comes.
    fn fates(
        &self,
        task: Task,
        at: Stamp,
        pair: &Names,
        written: Option<&State>,
        was: RangeInclusive<usize>,
        came: usize,
    ) -> Vec<Fate> {
        let Some(now) = written else {
            return was.map(|then| task.fate(&self.states[then], &self.limits, at, pair, came)).collect();
        };
        if task == Task::Share && !now.is_member(&pair.0, &pair.1) {
            return vec![task.fate(now, &self.limits, at, pair, 0)];
        }
        was.map(|then| task.fate(&self.seen(then, now), &self.limits, at, pair, 0)).collect()
    }

    /// A state with the images as they were then: a membership that goes on is written onto the present one, even where
    /// its image is being hidden or deleted just then.
    fn seen(&self, then: usize, now: &State) -> State {
        State { images: self.states[then].images.clone(), ..now.clone() }
    }

    fn accept(
        &mut self,
        id: Option<JobId>,
        task: Task,
        images: &[imageshare::domain::ImageId],
        tenants: &[imageshare::domain::TenantId],
    ) -> Result<(), Wrong> {
        let pairs =
            images.iter().flat_map(|image| tenants.iter().map(|tenant| (image.clone(), tenant.clone())));
        let job = Job { task, pairs: pairs.collect(), says: BTreeMap::new() };
        let id = id.ok_or("no job was made")?;
        self.jobs.insert(id, job).map_or(Ok(()), |_| Err(format!("job {id} was made twice")))
    }

    /// Does something at once.
    fn does(&mut self, state: &mut State, pair: Names, at: Stamp, deed: Deed) {
        let it = state.pair_mut(&pair.0, &pair.1);
        match deed {
            Deed::Share { asks_nothing } => it.share(at, asks_nothing),
            Deed::Unshare => it.unshare(at),
            Deed::Answer(status) => it.say(at, status),
        }
        self.deeds.push((pair, at, deed));
    }
}

fn deed(task: Task) -> Deed {
    match task {
        Task::Share => Deed::Share { asks_nothing: false },
        Task::Unshare => Deed::Unshare,
        Task::Respond(status) => Deed::Answer(status),
    }
}

fn set_visibility(state: &mut State, image: &imageshare::domain::ImageId, visibility: Visibility) {
    if let Some(image) = state.images.get_mut(image) {
        image.visibility = visibility;
    }
}
