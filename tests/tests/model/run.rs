//! Runs a history: requests and workers as tasks of their own, each of which gets on by one call to the table when its turn
//! comes.

use std::collections::BTreeSet;
use std::sync::Arc;

use imageshare::Service;
use imageshare::domain::{JobId, Limits, Membership, Stamp};
use imageshare::store::{PieceKey, Store, StoreError, opens_a_piece, remembers_a_sender};
use imageshare::table::{Action as Act, Item, Write};
use imageshare::usecases::Refusal;
use imageshare_tests::gated_table::{GatedTable, Step, Verdict};
use imageshare_tests::service::LocalService;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::ask::{End, ask, delivered};
use crate::count::Count;
use crate::history::{Action, Death, Event, History, Request, first_requests};
use crate::invariants;
use crate::judge::Expected;
use crate::model::{Model, Wrong};
use crate::state::Names;
use crate::steps::Said;

/// Who is at work.
#[derive(Debug, Clone)]
enum Who {
    Client(Request),
    Worker(PieceKey),
}

struct Actor {
    who: Who,
    steps: mpsc::UnboundedReceiver<Step>,
    task: JoinHandle<End>,
    waits: Option<oneshot::Sender<Verdict>>,
    calls: usize,
    death: Option<Death>,
    is_dead: bool,
    /// The model's state when it began, and when it first read something since then or since its last write.
    began: usize,
    read: Option<usize>,
    /// Later than all that it has read.
    at: Stamp,
    has_written: bool,
    /// The job that it has written.
    made: Option<JobId>,
}

pub struct Run<'a> {
    local: LocalService,
    model: Model,
    actors: Vec<Actor>,
    /// The pieces that the stream has told of.
    stream: Vec<PieceKey>,
    asked: Vec<Request>,
    count: &'a Count,
}

/// Runs a history to its quiet end, and holds the service to the model.
pub async fn run(history: &History, count: &Count) -> Result<(), Wrong> {
    let limits = limits(history.members_per_image, history.pending_per_tenant);
    let mut run = Run {
        local: LocalService::start(limits),
        model: Model::new(limits),
        actors: Vec::new(),
        stream: Vec::new(),
        asked: Vec::new(),
        count,
    };
    for request in first_requests() {
        run.start(Who::Client(request), None).await?;
        run.finish().await?;
    }
    for event in &history.events {
        run.event(event).await?;
    }
    run.finish().await?;
    run.sweep().await?;
    let store = &run.local.service.store;
    invariants::keys(store, run.model.state()).await?;
    invariants::hold(store, &run.local.embedded, &run.model).await
}

impl Run<'_> {
    async fn event(&mut self, event: &Event) -> Result<(), Wrong> {
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
                for _ in 1..*workers {
                    self.start_any(piece.map(Who::Worker), None).await?;
                }
                piece.map(Who::Worker)
            }
            Action::Sweep => {
                self.sweep().await?;
                None
            }
            Action::AskAgain(_) | Action::Deliver(_) => None,
        };
        self.start_any(who, event.death).await?;
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

    /// Carries out all pieces that are open.
    async fn sweep(&mut self) -> Result<(), Wrong> {
        for piece in self.local.open_pieces().await {
            self.start(Who::Worker(piece), None).await?;
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

    async fn start_any(&mut self, who: Option<Who>, death: Option<Death>) -> Result<(), Wrong> {
        match who {
            Some(who) => self.start(who, death).await,
            None => Ok(()),
        }
    }

    async fn start(&mut self, who: Who, death: Option<Death>) -> Result<(), Wrong> {
        let (table, steps) = GatedTable::new(self.local.table.clone());
        let service = Service {
            store: Store::new(table, self.local.service.clock().clone()),
            settings: Arc::clone(&self.local.service.settings),
        };
        let task = match who.clone() {
            Who::Client(request) => tokio::spawn(async move { ask(&service, request).await }),
            Who::Worker(piece) => tokio::spawn(async move { End::Worked(delivered(&service, piece).await) }),
        };
        let now = self.model.now();
        self.count.began(matches!(who, Who::Client(_)));
        self.actors.push(Actor {
            who,
            steps,
            task,
            waits: None,
            calls: 0,
            death,
            is_dead: false,
            began: now,
            read: None,
            at: Stamp::now(),
            has_written: false,
            made: None,
        });
        self.settle(self.actors.len() - 1).await
    }

    /// Lets one of them make its next call.
    async fn turn(&mut self, place: usize) -> Result<(), Wrong> {
        let actor = &mut self.actors[place];
        let dies = actor.death.filter(|death| death.call == actor.calls);
        actor.calls += 1;
        let verdict = match (actor.is_dead, dies) {
            (true, _) => Verdict::Lost,
            (false, Some(death)) => death.verdict,
            (false, None) => Verdict::Made,
        };
        if verdict != Verdict::Made && !actor.is_dead {
            actor.is_dead = true;
            self.count.died();
        }
        let waits = actor.waits.take().ok_or("nobody waits")?;
        waits.send(verdict).map_err(|_| "nobody waits any more")?;
        self.settle(place).await
    }

    /// Waits until one of them is at its next call, or at its end.
    async fn settle(&mut self, place: usize) -> Result<(), Wrong> {
        loop {
            let actor = &mut self.actors[place];
            let step = tokio::select! {
                biased;
                Some(step) = actor.steps.recv() => step,
                end = &mut actor.task => {
                    let end = end.map_err(|_| format!("{:?} panicked", actor.who))?;
                    let actor = self.actors.remove(place);
                    return self.ended(&actor, &end);
                }
            };
            match step {
                Step::Waits(waits) => {
                    actor.waits = Some(waits);
                    actor.at = Stamp::now();
                    return Ok(());
                }
                Step::HasRead => {
                    actor.read.get_or_insert(self.model.now());
                }
                Step::HasWritten(writes) => self.written(place, &writes).await?,
                Step::IsRefused => {
                    actor.read = None;
                    self.count.met();
                }
            }
        }
    }

    /// Tells the model what was written.
    async fn written(&mut self, place: usize, writes: &[Write]) -> Result<(), Wrong> {
        // Says nothing of any membership.
        if writes.iter().all(remembers_a_sender) {
            return Ok(());
        }
        let pieces: Vec<_> = writes.iter().filter(|write| opens_a_piece(write)).filter_map(piece).collect();
        self.stream.extend(&pieces);
        let actor = &mut self.actors[place];
        match &actor.who {
            Who::Client(request) => {
                if std::mem::replace(&mut actor.has_written, true) {
                    return Err(format!("{request:?} has written twice"));
                }
                actor.made = pieces.first().map(|piece| piece.job);
                // What is done at once bears the newest stamp of what it writes.
                let at = writes.iter().filter_map(newest).max().unwrap_or(actor.at);
                self.model.granted(request, actor.began, at, actor.made)
            }
            Who::Worker(piece) => {
                let report = self.local.report(piece.job).await;
                let written = writes.iter().filter_map(membership).collect::<BTreeSet<_>>();
                self.count.stepped();
                let since = actor.read.take().ok_or("a worker writes without having read")?;
                self.model.stepped(&Said::by(&report), since, Some(&written))
            }
        }
    }

    /// Looks at what somebody has to say at its end.
    fn ended(&mut self, actor: &Actor, end: &End) -> Result<(), Wrong> {
        let since = actor.began;
        match (&actor.who, end) {
            (Who::Client(request), End::Refused(Refusal::Store(problem))) if actor.is_dead => {
                let is_passing = matches!(problem, StoreError::Unavailable(_));
                if is_passing { Ok(()) } else { Err(format!("{request:?}: {problem}")) }
            }
            (Who::Client(request), End::Refused(refusal)) if !actor.has_written => {
                self.count.refused();
                let is = |expected: &Expected| matches!(expected, Expected::Refused(these) if these.contains(refusal));
                self.model.answered(request, since, is).map_err(|wrong| format!("{refusal:?} to {wrong}"))
            }
            (Who::Client(request), End::Job(job)) if actor.has_written => {
                let is_made =
                    self.model.jobs.contains_key(job) && *job >= JobId(Stamp::first_of(job.0.time()));
                if is_made {
                    Ok(())
                } else {
                    Err(format!("{request:?} was answered with {job}, which it did not make"))
                }
            }
            (Who::Client(request), End::Job(job)) => {
                self.model.answered(request, since, |expected| *expected == Expected::Before(*job))
            }
            (Who::Client(request), End::InUse) if !actor.has_written => {
                self.count.refused();
                self.model.answered(request, since, |expected| *expected == Expected::InUse)
            }
            (Who::Client(_), End::Done) if actor.has_written => Ok(()),
            // Nothing was to be changed.
            (Who::Client(request @ Request::Show { .. }), End::Done) => {
                self.model.answered(request, since, |expected| *expected == Expected::Granted)
            }
            (Who::Worker(_), End::Worked(answer)) => {
                let has_failed = answer["batchItemFailures"] != json!([]);
                if has_failed == actor.is_dead { Ok(()) } else { Err(format!("a worker says {answer}")) }
            }
            (who, end) => Err(format!("{who:?} ended with {end:?}")),
        }
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

fn texts(item: &Item) -> Option<(&str, &str)> {
    Some((item.get("pk")?.as_s().ok()?, item.get("sk")?.as_s().ok()?))
}

fn piece(write: &Write) -> Option<PieceKey> {
    let Act::Put(item) = &write.action else { return None };
    let (pk, sk) = texts(item)?;
    PieceKey::parse(pk, sk)
}

/// The pair whose membership is written.
fn membership(write: &Write) -> Option<Names> {
    let Act::Put(item) = &write.action else { return None };
    let (pk, sk) = texts(item)?;
    Some((pk.strip_prefix("I#")?.parse().ok()?, sk.strip_prefix("M#")?.parse().ok()?))
}

/// The newest request that formed the membership which is written.
fn newest(write: &Write) -> Option<Stamp> {
    let (Act::Put(item), Some(_)) = (&write.action, membership(write)) else { return None };
    let membership: Membership = serde_json::from_str(item.get("membership")?.as_s().ok()?).ok()?;
    Some(membership.newest())
}
