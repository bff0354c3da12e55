//! Runs a history: requests and workers as tasks of their own, each of which gets on by one call to the table when its turn
//! comes.

use std::collections::BTreeSet;
use std::sync::Arc;

use imageshare::domain::{Details, JobId, Limits, Stamp, Visibility};
use imageshare::store::{PieceKey, Remembered, Store, opens_a_piece};
use imageshare::table::{Action as Write_, AttributeValue, Item, Write};
use imageshare::usecases::{self, Effect, NewImage, Refusal};
use imageshare::{Service, domain::Permissions};
use imageshare_tests::events::{change, stream_event};
use imageshare_tests::gated_table::{GatedTable, Step, Verdict};
use imageshare_tests::service::{LocalService, caller};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::count::Count;
use crate::history::{Action, Death, Event, History, IMAGES, Request, image, owner_of};
use crate::invariants;
use crate::judge::Expected;
use crate::model::{Model, Wrong};
use crate::state::Names;

/// Who is at work.
#[derive(Debug, Clone)]
enum Who {
    Client(Request),
    Worker(PieceKey),
}

/// What came of it.
#[derive(Debug)]
enum End {
    Job(JobId),
    Done,
    Refused(Refusal),
    /// The worker's answer to the stream.
    Worked(Value),
}

struct Actor {
    who: Who,
    steps: mpsc::UnboundedReceiver<Step>,
    task: JoinHandle<End>,
    waits: Option<oneshot::Sender<Verdict>>,
    calls: usize,
    death: Option<Death>,
    is_dead: bool,
    /// The model's state when it began, and when it read last.
    began: usize,
    read: usize,
    /// Later than all that it has read, and earlier than what it writes next.
    at: Stamp,
    has_written: bool,
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
    let limits =
        Limits { members_per_image: history.members_per_image, images_per_tenant: 4, ..Limits::default() };
    let mut run = Run {
        local: LocalService::start(limits),
        model: Model::new(limits),
        actors: Vec::new(),
        stream: Vec::new(),
        asked: Vec::new(),
        count,
    };
    for id in IMAGES {
        let (owner, visibility) = (owner_of(id), Visibility::Shared);
        run.start(Who::Client(Request::Register { owner, image: image(id), visibility }), None).await?;
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
            Action::DeliverNewest => self.stream.last().map(|piece| Who::Worker(*piece)),
            Action::Sweep => {
                self.sweep().await?;
                None
            }
            Action::AskAgain(_) | Action::Deliver(_) => None,
        };
        if let Some(who) = who {
            self.start(who, event.death).await?;
        }
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

    async fn start(&mut self, who: Who, death: Option<Death>) -> Result<(), Wrong> {
        let (table, steps) = GatedTable::new(self.local.table.clone());
        let service =
            Service { store: Store::new(table), settings: Arc::clone(&self.local.service.settings) };
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
            read: now,
            at: Stamp::now(),
            has_written: false,
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
                Step::HasRead => actor.read = self.model.now(),
                Step::HasWritten(writes) => self.written(place, &writes).await?,
            }
        }
    }

    /// Tells the model what was written.
    async fn written(&mut self, place: usize, writes: &[Write]) -> Result<(), Wrong> {
        let pieces: Vec<_> = writes.iter().filter(|write| opens_a_piece(write)).filter_map(piece).collect();
        self.stream.extend(&pieces);
        let actor = &mut self.actors[place];
        match &actor.who {
            Who::Client(request) => {
                if std::mem::replace(&mut actor.has_written, true) {
                    return Err(format!("{request:?} has written twice"));
                }
                let made = pieces.first().map(|piece| piece.job);
                self.model.granted(request, actor.began, actor.at, made)
            }
            Who::Worker(piece) => {
                let report = self.local.report(piece.job).await;
                let says =
                    report.outcomes().map(|(image, tenant, said)| ((image.clone(), tenant.clone()), said));
                let written = writes.iter().filter_map(membership).collect::<BTreeSet<_>>();
                self.count.stepped();
                self.model.stepped(piece.job, actor.read, &says.collect::<Vec<_>>(), Some(&written))
            }
        }
    }

    /// Looks at what somebody has to say at its end.
    fn ended(&mut self, actor: &Actor, end: &End) -> Result<(), Wrong> {
        let since = actor.began;
        match (&actor.who, end) {
            (Who::Client(request), End::Refused(Refusal::Store(problem))) if actor.is_dead => {
                let is_passing = matches!(problem, imageshare::store::StoreError::Unavailable(_));
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

/// Tells job-worker of a piece, as the stream does. Returns its answer.
pub async fn delivered(service: &Service, piece: PieceKey) -> Value {
    let key = piece.table_key().into_iter().map(|(name, value)| match value {
        AttributeValue::S(text) => (name, json!({"S": text})),
        _ => (name, Value::Null),
    });
    let event = stream_event(&[change("INSERT", "1", &key.collect())]);
    job_worker::handle(service, event).await.expect("an event of the stream")
}

async fn ask(service: &Service, request: Request) -> End {
    let remembered = request.key().map(|(by, key)| Remembered {
        tenant: by.clone(),
        key_digest: key.to_string(),
        request_digest: request.digest(),
    });
    let job = |answer: Result<JobId, Refusal>| answer.map(End::Job);
    let answer = match request {
        Request::Register { owner, image, visibility } => {
            let new = NewImage { id: Some(image), owner: None, visibility, details: Details::default() };
            usecases::register_image(service, &caller(owner.as_str()), new).await.map(|_| End::Done)
        }
        Request::Share { by, images, to, .. } => {
            job(usecases::share(service, &caller(by.as_str()), images, to, remembered).await)
        }
        Request::Unshare { by, images, to, .. } => {
            job(usecases::unshare(service, &caller(by.as_str()), images, to, remembered).await)
        }
        Request::Respond { by, named, images, says, .. } => {
            let by = caller(by.as_str());
            job(usecases::respond(service, &by, named, images, (says, None), remembered).await)
        }
        Request::Add { by, image, to } => {
            usecases::add_member(service, &caller(by.as_str()), &image, &to).await.map(|_| End::Done)
        }
        Request::Remove { by, image, to } => {
            usecases::remove_member(service, &caller(by.as_str()), &image, &to).await.map(|()| End::Done)
        }
        Request::Answer { by, image, named, says } => {
            let by = caller(by.as_str());
            usecases::answer_as_member(service, &by, &image, &named, (Ok(says), None))
                .await
                .map(|_| End::Done)
        }
        Request::Permit { by, image, add, remove } => {
            let wanted = Permissions::new(add, remove).expect("nobody is named twice");
            let by = caller(by.as_str());
            usecases::change_permissions(service, &by, &image, &wanted, Effect::Made)
                .await
                .map(|()| End::Done)
        }
        Request::Show { by, image, visibility } => {
            let show = |image: &mut imageshare::domain::Image| {
                image.visibility = visibility;
                Ok::<_, Refusal>(())
            };
            usecases::update_image(service, &caller(by.as_str()), &image, show).await.map(|_| End::Done)
        }
        Request::Delete { by, image } => {
            usecases::delete_image(service, &caller(by.as_str()), &image).await.map(|()| End::Done)
        }
    };
    answer.unwrap_or_else(End::Refused)
}

fn texts(item: &Item) -> Option<(&str, &str)> {
    Some((item.get("pk")?.as_s().ok()?, item.get("sk")?.as_s().ok()?))
}

fn piece(write: &Write) -> Option<PieceKey> {
    let Write_::Put(item) = &write.action else { return None };
    let (pk, sk) = texts(item)?;
    PieceKey::parse(pk, sk)
}

/// The pair whose membership is written.
fn membership(write: &Write) -> Option<Names> {
    let Write_::Put(item) = &write.action else { return None };
    let (pk, sk) = texts(item)?;
    Some((pk.strip_prefix("I#")?.parse().ok()?, sk.strip_prefix("M#")?.parse().ok()?))
}
