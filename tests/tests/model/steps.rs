//! The steps of jobs, held to the model: what a job says of its pairs was right, and was done, at one moment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{ImageId, JobId, Limits, Outcome, Report, Stamp, Status, TenantId, Visibility};

use crate::inbox::Counts;
use crate::judge::{Fate, Task};
use crate::model::{Deed, Job, Model, Wrong};
use crate::state::{Make, Names, Pair, State, made_of};

/// What a job says after a step of it.
#[derive(Debug)]
pub struct Said {
    pub job: JobId,
    /// Of its pairs, in their order.
    pub of: Vec<(Names, Outcome)>,
    /// Whether it has ended.
    pub is_ended: bool,
}

impl Said {
    /// What a report says.
    pub fn by(report: &Report) -> Self {
        let of = report.outcomes().map(|(image, tenant, said)| ((image.clone(), tenant.clone()), said));
        Self { job: report.job.id, of: of.collect(), is_ended: report.ended().is_some() }
    }
}

/// What was written by a step, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The state in which what it was decided from was read first.
    pub since: usize,
    /// The memberships that were written; where that is not known, those that had to be.
    pub memberships: Option<&'a BTreeSet<Names>>,
    /// What the process knew of inboxes.
    pub counts: &'a Counts,
}

impl Model {
    /// A step of a job was written: the job now says that.
    pub fn stepped(&mut self, said: &Said, written: Written<'_>) -> Result<(), Wrong> {
        let job = self.jobs.get(&said.job).ok_or(format!("job {} is unknown", said.job))?;
        let new = news(job, said, written.memberships)?;
        let mut step = Step {
            task: job.task,
            at: said.job.0,
            model: self,
            written,
            thens: self.states[written.since..].to_vec(),
            next: self.state().clone(),
            asked: BTreeMap::new(),
        };
        let mut deeds = Vec::new();
        for (pair, outcome) in &new {
            let changes = step
                .carry_out(pair, *outcome)
                .map_err(|wrong| format!("job {}, {:?} of {pair:?}: {wrong}", said.job, step.task))?;
            let counts = match outcome {
                // To share with a member again changes nothing where nothing may be shared with it any more.
                Outcome::Done => changes || step.task != Task::Share,
                Outcome::Overtaken => changes,
                _ => false,
            };
            if counts {
                deeds.extend(deed(step.task).map(|deed| (pair.clone(), said.job.0, deed)));
            }
        }
        let next = step.next;
        self.deeds.extend(deeds);
        self.states.push(next);
        let now = self.now();
        let job = self.jobs.get_mut(&said.job).ok_or("the job")?;
        job.said_in.extend(new.iter().map(|(pair, _)| (pair.clone(), now)));
        job.says.extend(new);
        job.is_ended = said.is_ended;
        if said.is_ended { self.left_out(said.job) } else { Ok(()) }
    }

    /// An answer to everything answers what waited, in sight, when it was asked for, and until it ended.
    fn left_out(&self, id: JobId) -> Result<(), Wrong> {
        let job = &self.jobs[&id];
        let (Task::RespondToAll(_), Some(tenant)) = (job.task, &job.tenant) else { return Ok(()) };
        let states = &self.states[job.accepted..];
        let waits = |state: &State, image: &ImageId| {
            let is_hidden = state.image(image).is_some_and(|image| image.visibility != Visibility::Shared);
            state.pair(image, tenant).waited(id.0) && !is_hidden
        };
        // What is shown again is in sight when the job of that is carried out.
        let is_in_sight = |image: &ImageId| {
            let pair = (image.clone(), tenant.clone());
            let mut of_pair =
                self.jobs.values().filter(|job| job.task == Task::Refresh && job.pairs.contains(&pair));
            of_pair.all(|refresh| refresh.said_in.get(&pair).is_some_and(|done| *done <= job.accepted))
        };
        let waited = |image: &ImageId| is_in_sight(image) && states.iter().all(|state| waits(state, image));
        let waiting = states[0].received(tenant, Status::Pending);
        let mut left = waiting.into_iter().filter(|image| waited(image));
        let left = left.find(|image| !job.says.contains_key(&(image.clone(), tenant.clone())));
        left.map_or(Ok(()), |image| Err(format!("job {id} has left out {image}, which waited for {tenant}")))
    }
}

/// What a job says that it did not say before.
fn news(job: &Job, said: &Said, written: Option<&BTreeSet<Names>>) -> Result<Vec<(Names, Outcome)>, Wrong> {
    let id = said.job;
    let all: BTreeMap<_, _> = said.of.iter().cloned().collect();
    if all.len() < said.of.len() {
        return Err(format!("job {id} says something twice: {:?}", said.of));
    }
    if let Some(unsaid) = job.says.iter().find(|(pair, outcome)| all.get(pair) != Some(outcome)) {
        return Err(format!("job {id} does not say any more that {unsaid:?}"));
    }
    let new = said.of.iter().filter(|(pair, _)| !job.says.contains_key(pair)).cloned().collect::<Vec<_>>();
    let is_new = |pair: &Names| new.iter().any(|(said, _)| said == pair);
    if let Some(pair) = written.into_iter().flatten().find(|pair| !is_new(pair)) {
        return Err(format!("job {id} has written {pair:?} and says nothing of it, or has said it before"));
    }
    Ok(new)
}

/// A step of a job, pair by pair.
struct Step<'a> {
    task: Task,
    at: Stamp,
    model: &'a Model,
    written: Written<'a>,
    /// What there was since the worker read, with what the step has done so far.
    thens: Vec<State>,
    /// What there is then.
    next: State,
    /// How many images of an owner the step has let wait for a tenant.
    asked: BTreeMap<(TenantId, TenantId), i64>,
}

impl Step<'_> {
    /// Returns whether the pair is changed.
    fn carry_out(&mut self, pair: &Names, outcome: Outcome) -> Result<bool, Wrong> {
        let written = self.written.memberships.map(|written| written.contains(pair));
        let changes = written.unwrap_or_else(|| self.would_change(pair, outcome));
        let (is, expected) = (Fate { outcome, changes }, self.fates(pair, changes));
        if !expected.contains(&is) {
            return Err(format!("{is:?}, expected one of {expected:?}"));
        }
        if changes {
            let was = self.next.pair(&pair.0, &pair.1);
            self.task.carry_out(&mut self.next, self.at, pair);
            let then = self.next.pair(&pair.0, &pair.1);
            self.tells_the_truth(outcome, &then)?;
            self.grows(pair, &was, &then);
            for then in &mut self.thens {
                self.task.carry_out(then, self.at, pair);
            }
        }
        Ok(changes)
    }

    /// Whether a pair has to change that has that outcome.
    fn would_change(&self, pair: &Names, outcome: Outcome) -> bool {
        let limits = self.limits(pair);
        let mut fates = limits.iter().map(|limits| self.task.fate(&self.next, limits, self.at, pair));
        fates.any(|fate| fate.outcome == outcome && fate.changes)
    }

    /// A job never says that it has done a pair which is then otherwise; and it says that it was overtaken only by a later
    /// request.
    fn tells_the_truth(&self, outcome: Outcome, then: &Pair) -> Result<(), Wrong> {
        let is_true = match outcome {
            Outcome::Done => self.task.is_done(then),
            Outcome::Overtaken => !self.task.is_done(then) && self.task.is_overtaken(then, self.at),
            _ => false,
        };
        if is_true { Ok(()) } else { Err(format!("it says {outcome:?} of {then:?}")) }
    }

    fn grows(&mut self, (image, tenant): &Names, was: &Pair, then: &Pair) {
        let waits = |pair: &Pair| i64::from(pair.status() == Some(Status::Pending));
        if let Some(record) = self.next.image(image) {
            *self.asked.entry((tenant.clone(), record.owner.clone())).or_default() +=
                waits(then) - waits(was);
        }
    }

    /// What may become of a pair. What changes it is decided from the present one; whether its image is still there and
    /// shared counts then only for a member that comes.
    fn fates(&self, pair: &Names, changes: bool) -> Vec<Fate> {
        let limits = self.limits(pair);
        let all = |then: &State| {
            limits.iter().map(|limits| self.task.fate(then, limits, self.at, pair)).collect::<Vec<_>>()
        };
        if !changes {
            let moments = moments(&self.thens, pair);
            let fates = moments.iter().map(|(place, then)| self.unless_it_waits(all(then), *place, pair));
            return fates.flatten().collect();
        }
        if self.task == Task::Share && !self.next.is_member(&pair.0, &pair.1) {
            return all(&self.next);
        }
        self.thens.iter().flat_map(|then| all(&seen(then, &self.next))).collect()
    }

    /// What is said to an answer while an earlier request about the pair was acknowledged and not carried out is never
    /// that there is no membership.
    fn unless_it_waits(&self, mut fates: Vec<Fate>, place: usize, pair: &Names) -> Vec<Fate> {
        let state = self.written.since + place;
        let is_denied = fates.iter().any(|fate| fate.outcome == Outcome::NotAMember);
        if is_denied && !self.model.is_settled_on(pair, state, Some(JobId(self.at))) {
            fates.retain(|fate| fate.outcome != Outcome::NotAMember);
        }
        fates
    }

    /// The limits that may have been applied to the inbox of a pair's tenant.
    fn limits(&self, (image, tenant): &Names) -> Vec<Limits> {
        let Some(record) = self.next.images.get(image) else { return vec![self.model.limits] };
        let of_owner = self.asked.get(&(tenant.clone(), record.owner.clone())).copied().unwrap_or_default();
        let of_all = self.asked.iter().filter(|((to, _), _)| to == tenant).map(|(_, growth)| growth).sum();
        let (states, since) = (&self.model.states, self.written.since);
        let rooms = self.written.counts.rooms(
            (states, since),
            &self.model.limits,
            (tenant, &record.owner),
            (of_all, of_owner),
        );
        rooms.into_iter().map(|room| room.within(&self.model.limits)).collect()
    }
}

/// What may have been read of a pair while those states came one after the other: any of them; and where its image needs a
/// grant or a vault, which are read later, the image of one and the rest of a later one. Each with the place of the latest.
pub fn moments<'a>(states: &'a [State], pair: &Names) -> Vec<(usize, Cow<'a, State>)> {
    let mut moments: Vec<_> = states.iter().map(Cow::Borrowed).enumerate().collect();
    if made_of(&pair.0) != Make::Plain {
        for (place, first) in states.iter().enumerate() {
            let later = states.iter().enumerate().skip(place + 1);
            moments.extend(later.map(|(place, second)| (place, Cow::Owned(seen(first, second)))));
        }
    }
    moments
}

/// A state with the images as they were then: a membership that goes on is written onto the present one, even where
/// its image is being hidden or deleted just then.
pub fn seen(then: &State, now: &State) -> State {
    State { images: then.images.clone(), ..now.clone() }
}

fn deed(task: Task) -> Option<Deed> {
    match task {
        Task::Share => Some(Deed::Share { asks_nothing: false }),
        Task::Unshare => Some(Deed::Unshare),
        Task::Respond(says) | Task::RespondToAll(says) => Some(Deed::Answer(says.status)),
        Task::Refresh => None,
    }
}
