//! The steps of jobs, held to the model: what a job says of its pairs was right, and was done, at one moment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{ImageId, JobId, Limits, Outcome, Report, Stamp, Status, TenantId, Visibility};

use crate::judge::{Fate, Task};
use crate::model::{Deed, Job, Model, Wrong};
use crate::state::{Make, Names, State, made_of};

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

impl Model {
    /// A step of a job was written, which had been decided from what was read since `since`: the job now says that, and
    /// these memberships were written; where that is not known, those that had to be.
    pub fn stepped(
        &mut self,
        said: &Said,
        since: usize,
        written: Option<&BTreeSet<Names>>,
    ) -> Result<(), Wrong> {
        let job = self.jobs.get(&said.job).ok_or(format!("job {} is unknown", said.job))?;
        let new = news(job, said, written)?;
        let mut step = Step {
            task: job.task,
            at: said.job.0,
            limits: self.limits,
            thens: self.states[since..].to_vec(),
            next: self.state().clone(),
            asked: BTreeSet::new(),
        };
        for (pair, outcome) in &new {
            let written = written.map(|written| written.contains(pair));
            let changes = step
                .carry_out(pair, *outcome, written)
                .map_err(|wrong| format!("job {}, {:?} of {pair:?}: {wrong}", said.job, step.task))?;
            // To share with a member again changes nothing where nothing may be shared with it any more.
            if *outcome == Outcome::Done && (changes || step.task != Task::Share) {
                self.deeds.extend(deed(step.task).map(|deed| (pair.clone(), said.job.0, deed)));
            }
        }
        step.has_room(self.state())?;
        self.states.push(step.next);
        let now = self.now();
        let job = self.jobs.get_mut(&said.job).ok_or("the job")?;
        job.done.extend(new.iter().map(|(pair, _)| (pair.clone(), now)));
        job.says.extend(new);
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
            of_pair.all(|refresh| refresh.done.get(&pair).is_some_and(|done| *done <= job.accepted))
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
struct Step {
    task: Task,
    at: Stamp,
    limits: Limits,
    /// What there was since the worker read, with what the step has done so far.
    thens: Vec<State>,
    /// What there is then.
    next: State,
    /// Who is asked for an answer.
    asked: BTreeSet<TenantId>,
}

impl Step {
    /// Returns whether the pair is changed.
    fn carry_out(&mut self, pair: &Names, outcome: Outcome, written: Option<bool>) -> Result<bool, Wrong> {
        let changes =
            written.unwrap_or_else(|| self.task.fate(&self.next, &self.limits, self.at, pair).changes);
        let (is, expected) = (Fate { outcome, changes }, self.fates(pair, changes));
        if !expected.contains(&is) {
            return Err(format!("{is:?}, expected one of {expected:?}"));
        }
        if changes {
            let was = self.next.pair(&pair.0, &pair.1);
            self.task.carry_out(&mut self.next, self.at, pair);
            if self.task.asks(&was, &self.next.pair(&pair.0, &pair.1)) {
                self.asked.insert(pair.1.clone());
            }
            for then in &mut self.thens {
                self.task.carry_out(then, self.at, pair);
            }
        }
        Ok(changes)
    }

    /// What may become of a pair. What changes it is decided from the present one; whether its image is still there and
    /// shared counts then only for a member that comes.
    fn fates(&self, pair: &Names, changes: bool) -> Vec<Fate> {
        if !changes {
            let fate = |then: &State| self.task.fate(then, &self.limits, self.at, pair);
            return moments(&self.thens, pair).iter().map(|then| fate(then)).collect();
        }
        // What the whole step asks of a tenant is looked at when it is done.
        let limits = Limits { pending_per_tenant: u32::MAX, ..self.limits };
        let fate = |state: &State| self.task.fate(state, &limits, self.at, pair);
        if self.task == Task::Share && !self.next.is_member(&pair.0, &pair.1) {
            return vec![fate(&self.next)];
        }
        self.thens.iter().map(|then| fate(&seen(then, &self.next))).collect()
    }

    /// Nobody is asked for more answers than may wait.
    fn has_room(&self, before: &State) -> Result<(), Wrong> {
        let too_many = |tenant: &&TenantId| {
            let waits = self.next.pending(tenant);
            waits > before.pending(tenant) && waits > self.limits.pending_per_tenant as usize
        };
        let too_many = self.asked.iter().find(too_many);
        too_many.map_or(Ok(()), |tenant| Err(format!("{tenant} is asked for too many answers")))
    }
}

/// What may have been read of a pair while those states came one after the other: any of them; and where its image needs a
/// grant or a vault, which are read later, the image of one and the rest of a later one.
pub fn moments<'a>(states: &'a [State], pair: &Names) -> Vec<Cow<'a, State>> {
    let mut moments: Vec<_> = states.iter().map(Cow::Borrowed).collect();
    if made_of(&pair.0) != Make::Plain {
        for (place, first) in states.iter().enumerate() {
            let later = states[place + 1..].iter();
            moments.extend(later.map(|second| Cow::Owned(seen(first, second))));
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
