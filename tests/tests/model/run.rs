//! Runs a history: requests and workers as tasks of their own, each of which gets on by one call to the table when its turn
//! comes.
//!
//! It runs on a paused clock: what waits costs no time. Each process has a clock of its own, which is ahead or behind, and
//! is set while requests are under way.

use std::collections::{BTreeSet, VecDeque};
use std::mem;

use imageshare::domain::{JobId, Limits, Stamp, TenantId};
use imageshare::store::{PieceKey, opens_a_piece, remembers_a_sender};
use imageshare::table::Write;
use imageshare::usecases::Refusal;
use imageshare_tests::direct_table::DirectTable;
use imageshare_tests::gated_table::{Step, Verdict, gated};
use imageshare_tests::service::LocalService;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, advance};

use crate::ask::{End, ask, delivered, swept};
use crate::count::Count;
use crate::history::{
    Action, Death, Event, History, IMAGES, MORE_IMAGES, Request, Time, first_requests, image,
};
use crate::invariants;
use crate::judge::Expected;
use crate::model::{Granted, Made, Model, Ordered, Reading, Wrong};
use crate::process::Process;
use crate::state::{Names, State};
use crate::steps::{Said, Written};
use crate::writes::{self, is_upkeep, made_job, membership};

/// Who is at work.
#[derive(Debug, Clone)]
enum Who {
    Client(Request),
    Worker(PieceKey),
    /// Looks for work that was left lying.
    Sweeper,
}

#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
struct Actor {
    who: Who,
    process: usize,
    steps: mpsc::UnboundedReceiver<Step>,
    task: JoinHandle<End>,
    /// The calls that wait to be let through.
    waits: VecDeque<Waiting>,
    /// Whether a call that was let through has not said yet what came of it.
    is_calling: bool,
    calls: usize,
    death: Option<Death>,
    is_dead: bool,
    /// What becomes of the transaction that carries a batch out at once.
    at_once: Verdict,
    /// Whether the answer to the call that is made is lost.
    loses_answer: bool,
    /// Whether that of a transaction that carries a batch out at once was.
    is_in_doubt: bool,
    /// Whether it has given up a call that waited.
    has_timed_out: bool,
    /// The model's state when it began, and when it first read something since then, since its last write, and since it
    /// last waited.
    began: usize,
    read: Option<(usize, Instant)>,
    /// Whether it has read since it last waited.
    has_just_read: bool,
    begun_at: Instant,
    tick: u64,
    has_written: bool,
    /// The jobs that it has written, and their places in the order of requests.
    made: Vec<JobId>,
    ordered: Vec<usize>,
}

struct Waiting {
    go: oneshot::Sender<Verdict>,
    writes: Vec<Write>,
}

pub struct Run<'a> {
    local: LocalService,
    processes: Vec<Process>,
    model: Model,
    actors: Vec<Actor>,
    /// The pieces that the stream has told of.
    stream: Vec<PieceKey>,
    asked: Vec<Request>,
    tick: u64,
    count: &'a Count,
}

/// How often what is left lying is looked for in the end: jobs wait in line for each other.
const SWEEPS: usize = 8;

/// What a request waits at the least before it is told that an earlier one is under way.
const LEAST_WAIT: Duration = Duration::from_millis(4_700);

/// Runs a history to its quiet end, and holds the service to the model.
pub async fn run(history: &History, count: &Count) -> Result<(), Wrong> {
    fastrand::seed(history.seed);
    let limits = Limits {
        pending_per_owner: history.pending_per_owner,
        ..limits(history.members_per_image, history.pending_per_tenant)
    };
    let local = LocalService::start_through(limits, DirectTable::new);
    let processes = Process::several(&local, history.ahead);
    let mut run = Run {
        local,
        processes,
        model: Model::new(limits),
        actors: Vec::new(),
        stream: Vec::new(),
        asked: Vec::new(),
        tick: 0,
        count,
    };
    for request in first_requests() {
        run.start(Who::Client(request), &calm()).await?;
        run.finish().await?;
    }
    for event in &history.events {
        run.event(event).await?;
    }
    run.finish().await?;
    run.find_what_is_left().await?;
    let store = &run.local.service.store;
    invariants::keys(store, run.model.state()).await?;
    invariants::hold(store, &run.local.embedded, &run.model).await
}

/// An event without any mishap.
fn calm() -> Event {
    Event::of(Action::Sweep, None)
}

impl Run<'_> {
    async fn event(&mut self, event: &Event) -> Result<(), Wrong> {
        self.pass(event.time, event.process).await;
        let who = match &event.action {
            Action::Ask(request) => {
                self.asked.push(request.clone());
                Some(Who::Client(request.clone()))
            }
            Action::AskAgain(which) if !self.asked.is_empty() => {
                Some(Who::Client(which.get(&self.asked).clone()))
            }
            Action::Deliver(which) if !self.stream.is_empty() => Some(Who::Worker(*which.get(&self.stream))),
            Action::DeliverNew { place, workers } => {
                let piece = self.stream.iter().rev().nth(usize::from(*place)).copied();
                // The last of them dies, if any does.
                for process in 1..usize::from(*workers) {
                    let process = (event.process + process) % self.processes.len();
                    self.start_any(piece.map(Who::Worker), &Event { process, ..calm() }).await?;
                }
                piece.map(Who::Worker)
            }
            Action::Sweep => {
                self.sweep().await?;
                None
            }
            Action::AskAgain(_) | Action::Deliver(_) => None,
        };
        self.start_any(who, event).await?;
        match &event.turns {
            None => self.finish().await,
            Some(turns) => {
                for turn in turns {
                    if !self.actors.is_empty() {
                        self.turn(usize::from(*turn) % self.actors.len()).await?;
                    }
                }
                Ok(())
            }
        }
    }

    async fn pass(&mut self, time: Time, process: usize) {
        if time.passes > 0 {
            advance(Duration::from_millis(time.passes)).await;
        }
        if let Some(ahead) = time.ahead {
            self.processes[process].set_clock(ahead);
        }
    }

    /// Carries out all pieces that are open.
    async fn sweep(&mut self) -> Result<(), Wrong> {
        for piece in self.local.open_pieces().await {
            self.start(Who::Worker(piece), &calm()).await?;
            self.finish().await?;
        }
        Ok(())
    }

    /// Lets the minutes pass after which what was left lying is looked for, until nothing is.
    async fn find_what_is_left(&mut self) -> Result<(), Wrong> {
        for _ in 0..SWEEPS {
            self.sweep().await?;
            advance(Duration::from_mins(2)).await;
            self.start(Who::Sweeper, &calm()).await?;
            self.finish().await?;
        }
        Ok(())
    }

    /// Lets everybody get to their end.
    async fn finish(&mut self) -> Result<(), Wrong> {
        while !self.actors.is_empty() {
            self.turn(0).await?;
        }
        Ok(())
    }

    async fn start_any(&mut self, who: Option<Who>, event: &Event) -> Result<(), Wrong> {
        match who {
            Some(who) => self.start(who, event).await,
            None => Ok(()),
        }
    }

    async fn start(&mut self, who: Who, event: &Event) -> Result<(), Wrong> {
        let service = self.processes[event.process].service.clone();
        let work = {
            let who = who.clone();
            async move {
                match who {
                    Who::Client(request) => ask(&service, request).await,
                    Who::Worker(piece) => End::Worked(delivered(&service, piece).await),
                    Who::Sweeper => End::Worked(swept(&service).await),
                }
            }
        };
        let (work, steps) = gated(work);
        self.count.began(matches!(who, Who::Client(_)));
        self.tick += 1;
        self.actors.push(Actor {
            who,
            process: event.process,
            steps,
            task: tokio::spawn(work),
            waits: VecDeque::new(),
            is_calling: false,
            calls: 0,
            death: event.death,
            is_dead: false,
            at_once: event.at_once,
            loses_answer: false,
            is_in_doubt: false,
            has_timed_out: false,
            began: self.model.now(),
            read: None,
            has_just_read: false,
            begun_at: Instant::now(),
            tick: self.tick,
            has_written: false,
            made: Vec::new(),
            ordered: Vec::new(),
        });
        self.settle(self.actors.len() - 1).await
    }

    /// Lets one of them make its next call.
    async fn turn(&mut self, place: usize) -> Result<(), Wrong> {
        let actor = &mut self.actors[place];
        // Time may have passed while others waited, and a call that waited too long was given up.
        let calls = actor.waits.len();
        actor.waits.retain(|waiting| !waiting.go.is_closed());
        actor.has_timed_out |= actor.waits.len() < calls;
        let Some(Waiting { go, writes }) = actor.waits.pop_front() else { return self.settle(place).await };
        let dies = actor.death.filter(|death| death.call == actor.calls);
        actor.calls += 1;
        let is_at_once = made_job(&writes).is_some_and(|(_, made)| made == Made::AtOnce);
        let verdict = match (actor.is_dead, dies) {
            (true, _) => Verdict::Lost,
            (false, Some(death)) => death.verdict,
            (false, None) if is_at_once => mem::replace(&mut actor.at_once, Verdict::Made),
            (false, None) => Verdict::Made,
        };
        if dies.is_some() && !actor.is_dead {
            actor.is_dead = true;
            self.count.died();
        }
        actor.loses_answer = verdict == Verdict::AnswerLost;
        actor.is_in_doubt |= is_at_once && verdict != Verdict::Made;
        actor.is_calling = true;
        go.send(verdict).map_err(|_| "nobody waits any more")?;
        self.settle(place).await
    }

    /// Waits until one of them is at its next call, or at its end.
    async fn settle(&mut self, place: usize) -> Result<(), Wrong> {
        loop {
            let actor = &mut self.actors[place];
            if !actor.is_calling && actor.waits.iter().any(|waiting| !waiting.go.is_closed()) {
                return Ok(());
            }
            let moment = Instant::now();
            let step = tokio::select! {
                biased;
                Some(step) = actor.steps.recv() => step,
                end = &mut actor.task => {
                    let end = end.map_err(|_| format!("{:?} panicked", actor.who))?;
                    let mut actor = self.actors.remove(place);
                    // Of several calls that waited side by side, one was given up.
                    actor.has_timed_out |= !actor.waits.is_empty();
                    return self.ended(&actor, &end);
                }
            };
            // What it decides after a pause it decides from what it reads then; but a call is tried again after a pause, too.
            if moment < Instant::now() && actor.has_just_read && !actor.has_timed_out {
                actor.read = None;
                self.count.waited();
            }
            actor.has_just_read = false;
            actor.is_calling &= matches!(step, Step::Waits { .. });
            let now = (self.model.now(), Instant::now());
            match step {
                Step::Waits { go, writes } => actor.waits.push_back(Waiting { go, writes }),
                Step::HasRead(list) => {
                    actor.read.get_or_insert(now);
                    actor.has_just_read = true;
                    if let Some(list) = list {
                        self.processes[actor.process].counts.count(&list, now.0);
                    }
                }
                Step::HasWritten(writes) => self.written(place, &writes).await?,
                // That a job was taken out of a queue by another one changes no decision.
                Step::IsRefused(writes) if !is_upkeep(&writes) => {
                    actor.read = None;
                    self.count.met();
                }
                Step::IsRefused(_) | Step::IsLost => {}
            }
        }
    }

    /// Tells the model what was written.
    async fn written(&mut self, place: usize, writes: &[Write]) -> Result<(), Wrong> {
        // Says nothing of any membership.
        if writes.iter().all(remembers_a_sender) || writes.iter().all(writes::raises_a_clock) {
            return Ok(());
        }
        let pieces: Vec<_> =
            writes.iter().filter(|write| opens_a_piece(write)).filter_map(writes::piece).collect();
        self.stream.extend(&pieces);
        let before = self.model.now();
        let since = self.actors[place].read.map_or(before, |(since, _)| since);
        if is_upkeep(writes) {
            for job in writes.iter().filter_map(writes::dequeued) {
                self.model.dequeued(job)?;
            }
        } else {
            match self.actors[place].who.clone() {
                Who::Client(request) => self.granted(place, &request, writes).await?,
                Who::Worker(_) | Who::Sweeper => {
                    // Of one that sweeps, what it counts is written, too.
                    if let Some(job) = writes::stepped(writes) {
                        let since =
                            self.actors[place].read.take().ok_or("a worker writes without having read")?;
                        self.stepped(place, job, since, writes).await?;
                    }
                }
            }
        }
        for piece in pieces.iter().filter(|piece| piece.number > 0) {
            self.model.released(piece.job)?;
        }
        self.add_to_counts(place, (since, before), writes);
        Ok(())
    }

    async fn granted(&mut self, place: usize, request: &Request, writes: &[Write]) -> Result<(), Wrong> {
        let actor = &mut self.actors[place];
        let is_again = mem::replace(&mut actor.has_written, true);
        // A batch whose answer was lost when it was carried out at once is queued.
        if is_again && (actor.made.is_empty() || request.key().is_some()) {
            return Err(format!("{request:?} has written twice"));
        }
        let made = made_job(writes);
        actor.made.extend(made.map(|(job, _)| job));
        let read = actor.read.take();
        let since = read.unwrap_or((actor.began, actor.begun_at));
        let counts = self.processes[actor.process].counts.used_since(since.1);
        let reading = Reading { began: actor.began, since: since.0, counts: &counts };
        // What is done at once bears the newest stamp of what it writes.
        let at = made.map(|(job, _)| job.0).or(writes.iter().filter_map(writes::newest).max());
        // What was carried out at once has no part in the order where it has changed nothing.
        let mut pairs = match made {
            Some((_, Made::Queued)) => pairs_of(request),
            _ => writes.iter().filter_map(membership).collect(),
        };
        // Nothing comes after the deletion of an image.
        pairs.retain(|pair| self.model.state().image(&pair.0).is_some());
        let has_place = !matches!(request, Request::Delete { .. } | Request::Show { .. });
        if let Some(stamp) = at.filter(|_| has_place && !pairs.is_empty()) {
            actor.ordered.push(self.model.ordered.len());
            let (what, began) = (format!("{request:?}"), actor.tick);
            self.model.ordered.push(Ordered { what, pairs, stamp, began, answered: None });
        }
        let at = at.unwrap_or(Stamp::first_of(self.local.service.clock().now()));
        self.model.granted(request, reading, Granted { at, made })?;
        match made {
            Some((job, Made::AtOnce)) => {
                self.count.at_once();
                self.stepped(place, job, since, writes).await
            }
            _ => Ok(()),
        }
    }

    async fn stepped(
        &mut self,
        place: usize,
        job: JobId,
        since: (usize, Instant),
        writes: &[Write],
    ) -> Result<(), Wrong> {
        let report = self.local.report(job).await;
        let memberships = writes.iter().filter_map(membership).collect::<BTreeSet<_>>();
        self.count.stepped();
        let counts = self.processes[self.actors[place].process].counts.used_since(since.1);
        let written = Written { since: since.0, memberships: Some(&memberships), counts: &counts };
        let said = Said::by(&report);
        let before = self.model.jobs.get(&job).map_or(0, |job| job.says.len());
        self.count.say(said.of.iter().map(|(_, outcome)| *outcome).skip(before));
        self.model.stepped(&said, written)
    }

    /// What a process has written itself it adds to what it has counted, if it was told that it is written; but what goes with
    /// an image that was gone when it was read.
    fn add_to_counts(&mut self, place: usize, (since, before): (usize, usize), writes: &[Write]) {
        let actor = &self.actors[place];
        let now = self.model.now();
        if actor.loses_answer || now == before {
            return;
        }
        let (was, is) = (&self.model.states[before], &self.model.states[now]);
        for pair in writes.iter().filter_map(membership) {
            let waits = |state: &State| i64::from(state.waits(&pair));
            let growth = waits(is) - waits(was);
            let owner = self.model.states[since].image(&pair.0).map(|image| &image.owner);
            if let Some(owner) = owner.filter(|_| growth != 0) {
                self.processes[actor.process].counts.add(now, (pair.1.clone(), owner.clone()), growth);
            }
        }
    }

    /// Looks at what somebody has to say at its end.
    fn ended(&mut self, actor: &Actor, end: &End) -> Result<(), Wrong> {
        self.tick += 1;
        let since = actor.read.unwrap_or((actor.began, actor.begun_at));
        let counts = self.processes[actor.process].counts.used_since(since.1);
        let reading = Reading { began: actor.began, since: since.0, counts: &counts };
        if matches!(end, End::Job(_) | End::Done) {
            for place in &actor.ordered {
                self.model.ordered[*place].answered = Some(self.tick);
            }
        }
        match (&actor.who, end) {
            (Who::Client(request), End::Refused(Refusal::Store(problem)))
                if actor.is_dead || actor.has_timed_out || actor.is_in_doubt =>
            {
                let is_passing = problem.is_passing();
                if is_passing { Ok(()) } else { Err(format!("{request:?}: {problem}")) }
            }
            (Who::Client(request), End::Refused(refusal @ Refusal::InProgress(_))) if !actor.has_written => {
                self.count.in_progress();
                let has_waited = actor.begun_at.elapsed() >= LEAST_WAIT;
                if has_waited && self.model.is_in_progress(request) {
                    Ok(())
                } else {
                    Err(format!("{request:?} after {:?}: {refusal:?}", actor.begun_at.elapsed()))
                }
            }
            (Who::Client(request), End::Refused(refusal)) if !actor.has_written => {
                self.count.refused();
                let is = |expected: &Expected| matches!(expected, Expected::Refused(these) if these.contains(refusal));
                self.model.answered(request, reading, is).map_err(|wrong| format!("{refusal:?} to {wrong}"))
            }
            (Who::Client(request), End::Job(job)) if actor.has_written => {
                if actor.made.contains(job) {
                    Ok(())
                } else {
                    Err(format!("{request:?} was answered with {job}, which it did not make"))
                }
            }
            (Who::Client(request), End::Job(job)) => {
                self.model.answered(request, reading, |expected| *expected == Expected::Before(*job))
            }
            (Who::Client(request), End::InUse) if !actor.has_written => {
                self.count.refused();
                self.model.answered(request, reading, |expected| *expected == Expected::InUse)
            }
            (Who::Client(_), End::Done) if actor.has_written => Ok(()),
            // Nothing was to be changed.
            (Who::Client(request @ Request::Show { .. }), End::Done) => {
                self.model.answered(request, reading, |expected| *expected == Expected::Granted)
            }
            (Who::Worker(piece), End::Worked(answer)) => {
                let has_failed = answer["batchItemFailures"] != json!([]);
                let may_fail = actor.is_dead || actor.has_timed_out || self.model.has_older_work(piece.job);
                if has_failed && !actor.is_dead {
                    self.count.given_back();
                }
                if has_failed == actor.is_dead || (has_failed && may_fail) {
                    Ok(())
                } else {
                    Err(format!("a worker of {piece:?} says {answer}"))
                }
            }
            (Who::Sweeper, End::Worked(answer)) if answer["givenUp"] == json!(0) => Ok(()),
            (who, end) => Err(format!("{who:?} ended with {end:?}")),
        }
    }
}

/// The pairs that a request is about, in an order with other requests.
fn pairs_of(request: &Request) -> BTreeSet<Names> {
    let of_all = |named: &TenantId| {
        IMAGES.iter().chain(&MORE_IMAGES).map(|id| (image(id), named.clone())).collect::<BTreeSet<_>>()
    };
    match request {
        Request::RespondToAll { named, .. } => of_all(named),
        request => request.pairs(),
    }
}

/// The limits of a history: whatever an image is made of, the same.
pub fn limits(members: u32, pending_per_tenant: u32) -> Limits {
    Limits {
        members_per_image: members,
        members_per_full_ecs_image: members,
        images_per_tenant: 4,
        pending_per_tenant,
        ..Limits::default()
    }
}
