//! Runs a history: requests and workers are tasks, each of which makes one call to the table in its turn.
//!
//! A transaction is in progress while it waits for its turn, and conflicts with others on the same items. A call that
//! conflicts is retried after a pause, in which the others have their turns.
//!
//! The tokio clock is paused, so waiting costs no time. Each process has its own clock, which is skewed, and is set
//! while requests are in progress.

mod actor;
mod applied;
mod consequences;
mod effects;
mod results;

use std::collections::VecDeque;
use std::mem;

use imageshare::domain::Limits;
use imageshare::store::WorkItemKey;
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::gated_table::{GateEvent, Verdict, gated};
use imageshare_tests::local_service::LocalService;
use serde_json::Value;
use tokio::time::{Duration, Instant, advance};

use self::actor::{Actor, ActorKind, TurnEnd, WaitingCall};
use self::effects::Published;
use crate::calls::{CallResult, call, deliver_work_item, run_sweep};
use crate::history::{Action, Event, History, Request, TimeChange, setup_requests};
use crate::invariants;
use crate::model::{JobOrigin, Model, Violation};
use crate::process::Process;
use crate::rule_calls;
use crate::rules::RuleJob;
use crate::statistics::Statistics;
use crate::stream::ChangeStream;
use crate::writes::{created_job, is_queue_maintenance};

pub struct Run<'a> {
    local: LocalService,
    processes: Vec<Process>,
    model: Model,
    actors: Vec<Actor>,
    /// The work items that the stream has delivered.
    delivered: Vec<WorkItemKey>,
    sent: Vec<Request>,
    tick: u64,
    stream: ChangeStream,
    published: Published,
    /// The jobs that share rules have made because of changes.
    rule_jobs: Vec<RuleJob>,
    statistics: &'a Statistics,
}

/// The number of sweeps at the end: queued jobs wait for each other.
const SWEEPS: usize = 8;

/// Runs a history until nothing is open, and checks the service against the model.
pub async fn run(history: &History, count: &Statistics) -> Result<(), Violation> {
    fastrand::seed(history.seed);
    let limits = Limits {
        pending_per_owner: history.pending_per_owner,
        ..history_limits(history.members_per_image, history.pending_per_tenant)
    };
    let local = LocalService::start_with_table(limits, BlockingTable::new);
    let processes = Process::start_all(&local, history.clock_offsets_ms);
    let stream = ChangeStream::open(&local.embedded);
    let mut run = Run {
        local,
        processes,
        model: Model::new(limits),
        actors: Vec::new(),
        delivered: Vec::new(),
        sent: Vec::new(),
        tick: 0,
        stream,
        published: Published::new(),
        rule_jobs: Vec::new(),
        statistics: count,
    };
    rule_calls::enter_owners(&run.local.service, run.model.state()).await?;
    for request in setup_requests() {
        run.start(ActorKind::Client(request), &default_event()).await?;
        run.finish().await?;
    }
    for event in &history.events {
        run.run_event(event).await?;
    }
    run.finish().await?;
    run.sweep_until_done().await?;
    run.deliver_all_changes().await?;
    run.sweep_until_done().await?;
    run.deliver_all_changes().await?;
    run.check_consequences().await?;
    let store = &run.local.service.store;
    invariants::check_keys(store, run.model.state()).await?;
    invariants::check(store, &run.local.embedded, &run.model).await
}

/// An event without a fault.
fn default_event() -> Event {
    Event::new(Action::Sweep, None)
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
            Action::DeliverChanges { skip, count, refuses } => {
                let records = self.next_changes(usize::from(*skip), usize::from(*count));
                self.deliver_changes(records, *refuses, event).await?;
                None
            }
            Action::RedeliverChanges { first, count } if !self.stream.records.is_empty() => {
                let first = first.index(self.stream.records.len());
                let last = (first + usize::from(*count)).min(self.stream.records.len());
                self.deliver_changes((first..last).collect(), false, event).await?;
                None
            }
            Action::ChangeRules(change) => {
                self.change_rules(change, event.process).await?;
                None
            }
            Action::Apply { owner, rule } => Some(ActorKind::Applier { owner: owner.clone(), rule: *rule }),
            Action::Resend(_) | Action::Deliver(_) | Action::RedeliverChanges { .. } => None,
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
        let changes = match &actor_kind {
            ActorKind::Effects(delivery) => self.stream.event(&delivery.records),
            _ => Value::Null,
        };
        let work = {
            let actor_kind = actor_kind.clone();
            async move {
                match actor_kind {
                    ActorKind::Client(request) => call(&service, request).await,
                    ActorKind::Worker(work_item) => {
                        CallResult::WorkerResponse(deliver_work_item(&service, work_item).await)
                    }
                    ActorKind::Sweeper => CallResult::WorkerResponse(run_sweep(&service).await),
                    ActorKind::Applier { owner, rule } => rule_calls::apply(&service, &owner, rule).await,
                    ActorKind::Effects(delivery) => {
                        let response = ::effects::handle(&service, &*delivery.bus, changes).await;
                        CallResult::WorkerResponse(response.expect("an event of the stream"))
                    }
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
                GateEvent::Written(writes) => {
                    self.record_writes(place, &writes).await?;
                    self.stream.read(self.model.current_index())?;
                }
                // Another actor's removal of a job from a queue changes no plan.
                GateEvent::ConditionFailed(writes) if !is_queue_maintenance(&writes) => {
                    actor.first_read = None;
                    self.statistics.count_condition_failure();
                }
                GateEvent::ConditionFailed(_) | GateEvent::Lost => {}
            }
        }
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
