//! Runs a history: requests and workers are tasks, each of which makes one call to the table in its turn.
//!
//! A transaction is in progress while it waits for its turn, and conflicts with others on the same items. A call that
//! conflicts is retried after a pause, in which the others have their turns.
//!
//! The tokio clock is paused, so waiting costs no time. Each process has its own clock, which is skewed, and is set
//! while requests are in progress.

use std::collections::{BTreeSet, VecDeque};
use std::mem;

use imageshare::domain::{JobId, Limits, Stamp, TenantId};
use imageshare::store::{WorkItemKey, is_sender_write, opens_work_item};
use imageshare::table::Write;
use imageshare::usecases::UseCaseError;
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::gated_table::{GateEvent, Verdict, gated};
use imageshare_tests::local_service::LocalService;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, advance};

use crate::calls::{CallResult, call, deliver_work_item, run_sweep};
use crate::expectations::ExpectedResult;
use crate::history::{
    Action, Crash, Event, History, IMAGES, LATER_IMAGES, Request, TimeChange, image_id, setup_requests,
};
use crate::invariants;
use crate::model::{AppliedRequest, JobOrigin, Model, OrderedRequest, ReadContext, Violation};
use crate::process::Process;
use crate::state::{PairId, State};
use crate::statistics::Statistics;
use crate::steps::{JobProgress, StepWrites};
use crate::writes::{self, created_job, is_queue_maintenance, membership_pair};

/// The kind of an actor.
#[derive(Debug, Clone)]
enum ActorKind {
    Client(Request),
    Worker(WorkItemKey),
    /// A sweep.
    Sweeper,
}

#[expect(clippy::struct_excessive_bools, reason = "each is independent of the others")]
struct Actor {
    kind: ActorKind,
    process: usize,
    steps: mpsc::UnboundedReceiver<GateEvent>,
    task: JoinHandle<CallResult>,
    /// The calls that wait at the gate.
    waiting_calls: VecDeque<WaitingCall>,
    /// Whether a released call has not reported its result yet.
    is_calling: bool,
    calls: usize,
    crash: Option<Crash>,
    has_crashed: bool,
    /// What happens to the transaction that executes a batch at once.
    immediate_verdict: Verdict,
    /// Whether the response to the present call is lost.
    loses_response: bool,
    /// Whether that of a transaction that executes a batch at once was lost, or conflicted until its timeout.
    is_in_doubt: bool,
    /// Whether it has dropped a waiting call.
    has_timed_out: bool,
    /// Whether its last call conflicted, and nothing else was returned since.
    is_in_conflict: bool,
    /// When a call last returned anything but a conflict.
    last_response_at: Instant,
    /// The model's state when it began, and when it first read something since then, since its last write, and since
    /// it last waited.
    began: usize,
    first_read: Option<(usize, Instant)>,
    /// Whether it has read since it last waited.
    has_just_read: bool,
    begun_at: Instant,
    tick: u64,
    has_written: bool,
    /// The jobs that it has written, and their indexes in the order of requests.
    jobs: Vec<JobId>,
    ordered_requests: Vec<usize>,
}

struct WaitingCall {
    resume: oneshot::Sender<Verdict>,
    writes: Vec<Write>,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TurnEnd {
    /// The actor waits at its next call.
    AtCall,
    /// Its call conflicted, and it pauses.
    InConflict,
    /// The actor has ended.
    Ended,
}

pub struct Run<'a> {
    local: LocalService,
    processes: Vec<Process>,
    model: Model,
    actors: Vec<Actor>,
    /// The work items that the stream has delivered.
    delivered: Vec<WorkItemKey>,
    sent: Vec<Request>,
    tick: u64,
    statistics: &'a Statistics,
}

/// The number of sweeps at the end: queued jobs wait for each other.
const SWEEPS: usize = 8;

/// The shortest time after which the service may give up a call that conflicts: a batch that is executed at once has
/// 2 seconds, any other call 8; and no retry is made if the pause before it, of up to 640 ms, would end later.
const MIN_IMMEDIATE_TIME: Duration = Duration::from_millis(2_000 - 640);
const MIN_RETRY_TIME: Duration = Duration::from_millis(8_000 - 640);

/// The shortest wait of a request before it is refused because an earlier one is in progress.
const MIN_WAIT: Duration = Duration::from_millis(4_700);

/// Runs a history until nothing is open, and checks the service against the model.
pub async fn run(history: &History, count: &Statistics) -> Result<(), Violation> {
    fastrand::seed(history.seed);
    let limits = Limits {
        pending_per_owner: history.pending_per_owner,
        ..history_limits(history.members_per_image, history.pending_per_tenant)
    };
    let local = LocalService::start_with_table(limits, BlockingTable::new);
    let processes = Process::start_all(&local, history.clock_offsets_ms);
    let mut run = Run {
        local,
        processes,
        model: Model::new(limits),
        actors: Vec::new(),
        delivered: Vec::new(),
        sent: Vec::new(),
        tick: 0,
        statistics: count,
    };
    for request in setup_requests() {
        run.start(ActorKind::Client(request), &default_event()).await?;
        run.finish().await?;
    }
    for event in &history.events {
        run.run_event(event).await?;
    }
    run.finish().await?;
    run.sweep_until_done().await?;
    let store = &run.local.service.store;
    invariants::check_keys(store, run.model.state()).await?;
    invariants::check(store, &run.local.embedded, &run.model).await
}

/// An event without a fault.
fn default_event() -> Event {
    Event::new(Action::Sweep, None)
}

impl Actor {
    /// Records conflicts, and their end.
    fn record_step(&mut self, step: &GateEvent) {
        match step {
            GateEvent::Cancelled | GateEvent::Rejected => self.is_in_conflict = true,
            // A read is no retry: the batch was not executed at once, and will be queued.
            GateEvent::Waiting { writes, .. } if writes.is_empty() => {
                self.is_in_doubt |= self.has_conflicted_for(MIN_IMMEDIATE_TIME);
                self.is_in_conflict = false;
            }
            GateEvent::Waiting { .. } => {}
            GateEvent::Read(_) | GateEvent::Written(_) | GateEvent::ConditionFailed(_) | GateEvent::Lost => {
                self.is_in_conflict = false;
                self.last_response_at = Instant::now();
            }
        }
    }

    /// Whether only conflicts were returned for this time.
    fn has_conflicted_for(&self, time: Duration) -> bool {
        self.is_in_conflict && self.last_response_at.elapsed() >= time
    }
}

impl Run<'_> {
    async fn run_event(&mut self, event: &Event) -> Result<(), Violation> {
        self.advance_time(event.time, event.process).await;
        let kind = match &event.action {
            Action::Send(request) => {
                self.sent.push(request.clone());
                Some(ActorKind::Client(request.clone()))
            }
            Action::Resend(which) if !self.sent.is_empty() => {
                Some(ActorKind::Client(which.get(&self.sent).clone()))
            }
            Action::Deliver(which) if !self.delivered.is_empty() => {
                Some(ActorKind::Worker(*which.get(&self.delivered)))
            }
            Action::DeliverRecent { place, workers } => {
                let work_item = self.delivered.iter().rev().nth(usize::from(*place)).copied();
                // If one is killed, it is the last one.
                for process in 1..usize::from(*workers) {
                    let process = (event.process + process) % self.processes.len();
                    self.start_if_any(
                        work_item.map(ActorKind::Worker),
                        &Event { process, ..default_event() },
                    )
                    .await?;
                }
                work_item.map(ActorKind::Worker)
            }
            Action::Sweep => {
                self.sweep().await?;
                None
            }
            Action::Resend(_) | Action::Deliver(_) => None,
        };
        self.start_if_any(kind, event).await?;
        match &event.turns {
            None => self.finish().await,
            Some(turns) => {
                for turn in turns {
                    if !self.actors.is_empty() {
                        self.run_turn(usize::from(*turn) % self.actors.len()).await?;
                    }
                }
                Ok(())
            }
        }
    }

    async fn advance_time(&mut self, time: TimeChange, process: usize) {
        if time.elapsed_ms > 0 {
            advance(Duration::from_millis(time.elapsed_ms)).await;
        }
        if let Some(ahead) = time.clock_offset_ms {
            self.processes[process].set_clock(ahead);
        }
    }

    /// Executes all open work items.
    async fn sweep(&mut self) -> Result<(), Violation> {
        for work_item in self.local.open_work_items().await {
            self.start(ActorKind::Worker(work_item), &default_event()).await?;
            self.finish().await?;
        }
        Ok(())
    }

    /// Lets the minutes pass between sweeps, until nothing is open.
    async fn sweep_until_done(&mut self) -> Result<(), Violation> {
        for _ in 0..SWEEPS {
            self.sweep().await?;
            advance(Duration::from_mins(2)).await;
            self.start(ActorKind::Sweeper, &default_event()).await?;
            self.finish().await?;
        }
        Ok(())
    }

    /// Runs all actors to their ends, one after the other. After a conflict the next one has a turn, since it may
    /// hold the item.
    async fn finish(&mut self) -> Result<(), Violation> {
        let mut place = 0;
        while !self.actors.is_empty() {
            place = match self.run_turn(place).await? {
                TurnEnd::AtCall => place,
                TurnEnd::InConflict => (place + 1) % self.actors.len(),
                TurnEnd::Ended => 0,
            };
        }
        Ok(())
    }

    async fn start_if_any(&mut self, kind: Option<ActorKind>, event: &Event) -> Result<(), Violation> {
        match kind {
            Some(kind) => self.start(kind, event).await,
            None => Ok(()),
        }
    }

    async fn start(&mut self, actor_kind: ActorKind, event: &Event) -> Result<(), Violation> {
        let service = self.processes[event.process].service.clone();
        let work = {
            let actor_kind = actor_kind.clone();
            async move {
                match actor_kind {
                    ActorKind::Client(request) => call(&service, request).await,
                    ActorKind::Worker(work_item) => {
                        CallResult::WorkerResponse(deliver_work_item(&service, work_item).await)
                    }
                    ActorKind::Sweeper => CallResult::WorkerResponse(run_sweep(&service).await),
                }
            }
        };
        let (work, steps) = gated(work);
        self.statistics.count_start(matches!(actor_kind, ActorKind::Client(_)));
        self.tick += 1;
        self.actors.push(Actor {
            kind: actor_kind,
            process: event.process,
            steps,
            task: tokio::spawn(work),
            waiting_calls: VecDeque::new(),
            is_calling: false,
            calls: 0,
            crash: event.crash,
            has_crashed: false,
            immediate_verdict: event.immediate_verdict,
            loses_response: false,
            is_in_doubt: false,
            has_timed_out: false,
            is_in_conflict: false,
            last_response_at: Instant::now(),
            began: self.model.current_index(),
            first_read: None,
            has_just_read: false,
            begun_at: Instant::now(),
            tick: self.tick,
            has_written: false,
            jobs: Vec::new(),
            ordered_requests: Vec::new(),
        });
        self.run_until_blocked(self.actors.len() - 1).await.map(drop)
    }

    /// Lets one actor make its next call.
    async fn run_turn(&mut self, place: usize) -> Result<TurnEnd, Violation> {
        let actor = &mut self.actors[place];
        // Time may have passed while others waited, and a call that waited too long was dropped.
        let calls = actor.waiting_calls.len();
        actor.waiting_calls.retain(|waiting| !waiting.resume.is_closed());
        actor.has_timed_out |= actor.waiting_calls.len() < calls;
        let Some(WaitingCall { resume: go, writes }) = actor.waiting_calls.pop_front() else {
            return self.run_until_blocked(place).await;
        };
        let dies = actor.crash.filter(|death| death.call == actor.calls);
        actor.calls += 1;
        let is_at_once = created_job(&writes).is_some_and(|(_, made)| made == JobOrigin::Immediate);
        let verdict = match (actor.has_crashed, dies) {
            (true, _) => Verdict::LoseRequest,
            (false, Some(death)) => death.verdict,
            (false, None) if is_at_once => mem::replace(&mut actor.immediate_verdict, Verdict::Execute),
            (false, None) => Verdict::Execute,
        };
        if dies.is_some() && !actor.has_crashed {
            actor.has_crashed = true;
            self.statistics.count_crash();
        }
        actor.loses_response = verdict == Verdict::LoseResponse;
        actor.is_in_doubt |= is_at_once && verdict != Verdict::Execute;
        actor.is_calling = true;
        go.send(verdict).map_err(|_| "the call was dropped")?;
        self.run_until_blocked(place).await
    }

    /// Waits until an actor is at its next call, in conflict, or at its end.
    async fn run_until_blocked(&mut self, place: usize) -> Result<TurnEnd, Violation> {
        loop {
            let actor = &mut self.actors[place];
            if !actor.is_calling && actor.waiting_calls.iter().any(|waiting| !waiting.resume.is_closed()) {
                return Ok(TurnEnd::AtCall);
            }
            let moment = Instant::now();
            let step = tokio::select! {
                biased;
                Some(step) = actor.steps.recv() => step,
                end = &mut actor.task => {
                    let end = end.map_err(|_| format!("{:?} panicked", actor.kind))?;
                    let mut actor = self.actors.remove(place);
                    // Of several concurrent calls that waited, one was dropped.
                    actor.has_timed_out |= !actor.waiting_calls.is_empty();
                    self.check_result(&actor, &end)?;
                    return Ok(TurnEnd::Ended);
                }
            };
            // After a pause it may plan again from new reads, or retry the same call.
            if moment < Instant::now() && actor.has_just_read && !actor.has_timed_out {
                actor.first_read = None;
                self.statistics.count_pause();
            }
            actor.has_just_read = false;
            actor.is_calling &= matches!(step, GateEvent::Waiting { .. });
            actor.record_step(&step);
            let now = (self.model.current_index(), Instant::now());
            match step {
                GateEvent::Waiting { verdict: go, writes } => {
                    actor.waiting_calls.push_back(WaitingCall { resume: go, writes });
                }
                GateEvent::Cancelled => {
                    self.statistics.count_cancellation();
                    return Ok(TurnEnd::InConflict);
                }
                GateEvent::Rejected => {
                    self.statistics.count_rejection();
                    return Ok(TurnEnd::InConflict);
                }
                GateEvent::Read(list) => {
                    actor.first_read.get_or_insert(now);
                    actor.has_just_read = true;
                    if let Some(list) = list {
                        self.processes[actor.process].counts.record_count(&list, now.0);
                    }
                }
                GateEvent::Written(writes) => self.record_writes(place, &writes).await?,
                // Another actor's removal of a job from a queue changes no plan.
                GateEvent::ConditionFailed(writes) if !is_queue_maintenance(&writes) => {
                    actor.first_read = None;
                    self.statistics.count_condition_failure();
                }
                GateEvent::ConditionFailed(_) | GateEvent::Lost => {}
            }
        }
    }

    /// Applies a write to the model.
    async fn record_writes(&mut self, place: usize, writes: &[Write]) -> Result<(), Violation> {
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

    async fn apply_request(
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
        self.model.apply_request(request, reading, AppliedRequest { at, job: made })?;
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
        self.statistics.count_step();
        let counts = self.processes[self.actors[place].process].counts.valid_since(since.1);
        let written = StepWrites { since: since.0, memberships: Some(&memberships), counts: &counts };
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

    /// Checks the result of an actor that has ended.
    fn check_result(&mut self, actor: &Actor, end: &CallResult) -> Result<(), Violation> {
        self.tick += 1;
        if actor.has_conflicted_for(MIN_RETRY_TIME) {
            self.statistics.count_conflict_timeout();
        }
        let since = actor.first_read.unwrap_or((actor.began, actor.begun_at));
        let counts = self.processes[actor.process].counts.valid_since(since.1);
        let reading = ReadContext { began: actor.began, since: since.0, counts: &counts };
        if matches!(end, CallResult::Job(_) | CallResult::Done) {
            for place in &actor.ordered_requests {
                self.model.ordered[*place].answered = Some(self.tick);
            }
        }
        match (&actor.kind, end) {
            (ActorKind::Client(request), CallResult::Refused(UseCaseError::Store(problem)))
                if actor.has_crashed
                    || actor.has_timed_out
                    || actor.is_in_doubt
                    || actor.has_conflicted_for(MIN_RETRY_TIME) =>
            {
                let is_passing = problem.is_transient();
                if is_passing { Ok(()) } else { Err(format!("{request:?}: {problem}")) }
            }
            (ActorKind::Client(request), CallResult::Refused(refusal @ UseCaseError::InProgress(_)))
                if !actor.has_written =>
            {
                self.statistics.count_in_progress();
                let has_waited = actor.begun_at.elapsed() >= MIN_WAIT;
                if has_waited && self.model.is_in_progress(request) {
                    Ok(())
                } else {
                    Err(format!("{request:?} after {:?}: {refusal:?}", actor.begun_at.elapsed()))
                }
            }
            (ActorKind::Client(request), CallResult::Refused(refusal)) if !actor.has_written => {
                self.statistics.count_refusal();
                let is = |expected: &ExpectedResult| matches!(expected, ExpectedResult::Refused(these) if these.contains(refusal));
                self.model
                    .check_response(request, reading, is)
                    .map_err(|violation| format!("{refusal:?} to {violation}"))
            }
            (ActorKind::Client(request), CallResult::Job(job)) if actor.has_written => {
                if actor.jobs.contains(job) {
                    Ok(())
                } else {
                    Err(format!("the response to {request:?} is {job}, which it did not create"))
                }
            }
            (ActorKind::Client(request), CallResult::Job(job)) => {
                self.model
                    .check_response(request, reading, |expected| *expected == ExpectedResult::Replayed(*job))
            }
            (ActorKind::Client(request), CallResult::InUse) if !actor.has_written => {
                self.statistics.count_refusal();
                self.model.check_response(request, reading, |expected| *expected == ExpectedResult::InUse)
            }
            (ActorKind::Client(_), CallResult::Done) if actor.has_written => Ok(()),
            // There was nothing to change.
            (ActorKind::Client(request @ Request::SetVisibility { .. }), CallResult::Done) => {
                self.model.check_response(request, reading, |expected| *expected == ExpectedResult::Accepted)
            }
            (ActorKind::Worker(work_item), CallResult::WorkerResponse(response)) => {
                let has_failed = response["batchItemFailures"] != json!([]);
                let may_fail = actor.has_crashed
                    || actor.has_timed_out
                    || actor.has_conflicted_for(MIN_RETRY_TIME)
                    || self.model.has_older_work(work_item.job);
                if has_failed && !actor.has_crashed {
                    self.statistics.count_returned_work_item();
                }
                if has_failed == actor.has_crashed || (has_failed && may_fail) {
                    Ok(())
                } else {
                    Err(format!("a worker of {work_item:?} returned {response}"))
                }
            }
            (ActorKind::Sweeper, CallResult::WorkerResponse(response)) if response["givenUp"] == json!(0) => {
                Ok(())
            }
            (kind, end) => Err(format!("{kind:?} ended with {end:?}")),
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

/// The limits of a history, the same for all kinds of images.
pub fn history_limits(members: u32, pending_per_tenant: u32) -> Limits {
    Limits {
        members_per_image: members,
        members_per_full_ecs_image: members,
        images_per_tenant: 4,
        pending_per_tenant,
        ..Limits::default()
    }
}
