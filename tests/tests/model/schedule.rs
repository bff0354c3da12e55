//! A schedule of faults: some requests over HTTP and the AWS SDK, and the work that they make, while DynamoDB fails beneath
//! in every way it can, until it is well again.
//!
//! What is acknowledged was done, once; what is answered with 503 was done or not, but nothing between; what is refused
//! was not. All is held to the model.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::types::AttributeValue;
use imageshare::auth::Authenticator;
use imageshare::domain::{Clock, JobId, Stamp, Status, Timestamp};
use imageshare::function::Function;
use imageshare::store::{OPEN_SHARDS, PieceKey, Store};
use imageshare::table::DynamoDb;
use imageshare::{Service, Settings};
use imageshare_local::TABLE;
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::{Answer, send};
use imageshare_tests::service::everything;
use imageshare_tests::table_server::TableServer;
use imageshare_tests::world::authenticator;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::time::Instant;

use crate::ask::{End, ask, delivered};
use crate::history::{Request, TENANTS, crowd_of, first_requests, request};
use crate::http;
use crate::inbox::Counts;
use crate::invariants;
use crate::judge::Expected;
use crate::look;
use crate::model::{Granted, Made, Model, Reading, Wrong};
use crate::run::limits;
use crate::steps::{Said, Written};
use crate::writes;

/// How long the service waits for one answer of DynamoDB: some of them never come.
const SILENCE: Duration = Duration::from_millis(250);

/// So many pairs do not fit one transaction.
const QUEUED_PAIRS: usize = 99;

/// What a function leaves itself for answering.
const MARGIN: Duration = Duration::from_millis(500);

/// What the clients of all schedules were told.
#[derive(Debug, Default)]
pub struct Told {
    pub requests: usize,
    pub acknowledged: usize,
    pub refused: usize,
    /// Answers 503, and of them those to what was done all the same.
    pub unavailable: usize,
    pub unavailable_but_done: usize,
    /// Batches that were carried out at once, and those that were queued.
    pub at_once: usize,
    pub queued: usize,
    /// Readings, and those that were answered 503.
    pub looks: usize,
    pub looks_in_vain: usize,
    /// Deliveries of pieces, and those that the worker gave back.
    pub deliveries: usize,
    pub given_back: usize,
}

impl Told {
    pub fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.acknowledged += more.acknowledged;
        self.refused += more.refused;
        self.unavailable += more.unavailable;
        self.unavailable_but_done += more.unavailable_but_done;
        self.at_once += more.at_once;
        self.queued += more.queued;
        self.looks += more.looks;
        self.looks_in_vain += more.looks_in_vain;
        self.deliveries += more.deliveries;
        self.given_back += more.given_back;
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} acknowledged, {} refused, {} answered 503 ({} of them done); {} batches \
             carried out at once, {} queued; {} readings, {} answered 503; {} deliveries of pieces, {} \
             given back",
            self.requests,
            self.acknowledged,
            self.refused,
            self.unavailable,
            self.unavailable_but_done,
            self.at_once,
            self.queued,
            self.looks,
            self.looks_in_vain,
            self.deliveries,
            self.given_back
        )
    }
}

/// A DynamoDB that fails, and what a schedule needs to run over it.
pub struct Schedule<'a> {
    database: &'a TableServer,
    table: Arc<EmbeddedTable>,
    authenticator: Authenticator,
    /// The service past all faults.
    behind: Service,
    model: Model,
    asked: Vec<Request>,
    /// What has happened so far, for whoever has to find out why.
    log: Vec<String>,
    rng: fastrand::Rng,
    told: &'a mut Told,
}

/// Runs the schedule of that seed.
pub async fn run(seed: u64, database: &TableServer, told: &mut Told) -> Result<(), Wrong> {
    let mut rng = fastrand::Rng::with_seed(seed);
    database.renew();
    let limits = limits(rng.choice([200, 2]).unwrap_or(200), rng.choice([200, 2]).unwrap_or(200));
    let settings = Arc::new(Settings {
        region: "local".to_owned(),
        public_url: None,
        directory_is_complete: false,
        limits,
    });
    let table = database.embedded();
    let behind = Service { store: Store::new(table.lane(Lane::Request), Clock::of_function()), settings };
    let authenticator = authenticator();
    let (model, asked, log) = (Model::new(limits), Vec::new(), Vec::new());
    let mut schedule = Schedule { database, table, authenticator, behind, model, asked, log, rng, told };
    let ran = schedule.run(seed).await;
    ran.map_err(|wrong| format!("{wrong}, after\n{}", schedule.log.join("\n")))
}

impl Schedule<'_> {
    async fn run(&mut self, seed: u64) -> Result<(), Wrong> {
        self.begin().await?;
        self.database.fail_at_random(seed, self.rng.u8(5..45));
        self.ask_and_work(seed).await?;
        self.database.heal();
        self.end().await
    }

    async fn begin(&mut self) -> Result<(), Wrong> {
        for request in first_requests() {
            match ask(&self.behind, request.clone()).await {
                End::Done => {
                    let at = Stamp::first_of(Timestamp::now());
                    self.grant(&request, Granted { at, made: None })?;
                }
                other => return Err(format!("{request:?}: {other:?}")),
            }
        }
        Ok(())
    }

    async fn ask_and_work(&mut self, seed: u64) -> Result<(), Wrong> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut requests = TestRunner::new_with_rng(Config::default(), rng);
        for _ in 0..self.rng.u8(3..7) {
            let mut next = request().new_tree(&mut requests).map_err(|reason| reason.to_string())?.current();
            // IMS knows no answer that takes an answer back; and a crowd takes the time of many schedules.
            let is_crowd = matches!(&next, Request::Share { to, .. } | Request::Unshare { to, .. } if to.len() > TENANTS.len());
            if let Request::Share { images, to, .. } | Request::Unshare { images, to, .. } = &mut next
                && !is_crowd
                && self.rng.u8(0..10) == 0
            {
                // As many as are queued.
                to.extend(crowd_of(QUEUED_PAIRS.div_ceil(images.len()) - to.len()));
            }
            let is_unknown = matches!(
                &next,
                Request::Respond { says, .. } | Request::RespondToAll { says, .. } if says.status == Status::Pending
            );
            if is_crowd || is_unknown {
                continue;
            }
            while self.ask(&next).await? == 503 && self.rng.bool() {}
            if self.rng.u8(0..3) > 0 {
                for piece in self.open_pieces().await? {
                    self.deliver(piece).await?;
                }
            }
            if self.rng.bool() {
                self.look().await?;
            }
        }
        Ok(())
    }

    /// Lets a client ask, and holds what it is told to what became of it.
    async fn ask(&mut self, request: &Request) -> Result<u16, Wrong> {
        self.asked.push(request.clone());
        let before = self.everything();
        let answer = self.send(&http::event(request)).await;
        let after = self.everything();
        let changed: Vec<_> = after
            .iter()
            .filter(|(key, row)| before.get(*key) != Some(*row))
            .map(|(_, row)| row.clone())
            .collect();
        let is_done = after != before;
        self.told.requests += 1;
        let said = if is_done && changed.is_empty() {
            // Something was deleted alone.
            self.hold(request, &answer, &[Row::new()]).await
        } else {
            self.hold(request, &answer, &changed).await
        };
        self.log.push(format!("{request:?}: {} {}, done: {is_done}", answer.status, answer.body));
        said?;
        if is_done && answer.status == 503 {
            invariants::table_is(&self.behind.store, &self.table, self.model.state()).await?;
        }
        Ok(answer.status)
    }

    /// Lets a client read something.
    async fn look(&mut self) -> Result<(), Wrong> {
        let mut looks = look::looks(&self.model);
        let look = looks.swap_remove(self.rng.usize(..looks.len()));
        let answer = self.send(&look.event()).await;
        self.told.looks += 1;
        self.told.looks_in_vain += usize::from(answer.status == 503);
        look.hold(&answer)
    }

    async fn send(&mut self, event: &HttpEvent) -> Answer {
        let end = Timestamp::now().plus(MARGIN + self.patience());
        let function = Function::new(self.over(), self.authenticator.clone());
        let answer = send(&function, event, Some(end)).await;
        self.database.shut_out().await;
        answer
    }

    async fn hold(&mut self, request: &Request, answer: &Answer, changed: &[Row]) -> Result<(), Wrong> {
        let now = self.model.now();
        let counts = Counts::made_in(now);
        let reading = Reading { began: now, since: now, counts: &counts };
        let told_job = answer.body["job_id"].as_str().and_then(|id| id.parse::<JobId>().ok());
        match answer.status {
            200..300 => self.told.acknowledged += 1,
            503 => self.told.unavailable += 1,
            _ => self.told.refused += 1,
        }
        match (answer.status, !changed.is_empty()) {
            (200..300, true) => {
                let made = self.granted(request, changed).await?;
                if told_job.is_none() || told_job == made { Ok(()) } else { Err("another job".to_owned()) }
            }
            (200..300, false) => self.model.answered(request, reading, |expected| match expected {
                Expected::Before(job) => told_job == Some(*job),
                // What is as it was to be need not be changed.
                Expected::Granted => {
                    matches!(request, Request::Show { .. } | Request::Grant { .. } | Request::Vault { .. })
                }
                Expected::Refused(_) | Expected::InUse => false,
            }),
            (503, true) => {
                self.told.unavailable_but_done += 1;
                self.granted(request, changed).await.map(drop)
            }
            (503, false) if answer.headers.contains_key("retry-after") => Ok(()),
            (400..500, false) => {
                let is_refused =
                    |expected: &Expected| matches!(expected, Expected::Refused(_) | Expected::InUse);
                self.model.answered(request, reading, is_refused)
            }
            _ => Err(format!("something was changed: {changed:?}")),
        }
    }

    /// Lets the model know what a request has changed. Returns the job that it has made, the last one.
    async fn granted(&mut self, request: &Request, changed: &[Row]) -> Result<Option<JobId>, Wrong> {
        let made = self.new_jobs(request, changed)?;
        let memberships =
            changed.iter().filter_map(|row| text(row, "membership")).filter_map(writes::newest_of);
        let at = memberships.max().unwrap_or(Stamp::first_of(Timestamp::now()));
        if made.is_empty() {
            self.grant(request, Granted { at, made: None })?;
        }
        for (job, how) in &made {
            self.grant(request, Granted { at, made: Some((*job, *how)) })?;
            if *how == Made::AtOnce {
                self.told.at_once += 1;
                self.look_at(*job).await?;
            } else if *how == Made::Queued {
                self.told.queued += 1;
            }
        }
        Ok(made.last().map(|(job, _)| *job))
    }

    fn grant(&mut self, request: &Request, granted: Granted) -> Result<(), Wrong> {
        let now = self.model.now();
        let counts = Counts::made_in(now);
        self.model.granted(request, Reading { began: now, since: now, counts: &counts }, granted)
    }

    /// The jobs that a request has made: one, or one that was carried out at once and whose answer was lost, and then the same
    /// one queued.
    fn new_jobs(&self, request: &Request, changed: &[Row]) -> Result<Vec<(JobId, Made)>, Wrong> {
        let mut made = Vec::new();
        for row in changed.iter().filter(|row| text(row, "sk") == Some("A")) {
            let id = text(row, "pk").and_then(|pk| pk.strip_prefix("J#")?.parse().ok());
            let how = match request {
                _ if row.contains_key("finished") => Made::AtOnce,
                Request::Delete { .. } | Request::Show { .. } => Made::ByChange,
                _ => Made::Queued,
            };
            made.extend(id.filter(|id| !self.model.jobs.contains_key(id)).map(|id| (id, how)));
        }
        made.sort_by_key(|(id, how)| (*how, *id));
        match (&made[..], request.key()) {
            ([] | [_], _) | ([(_, Made::AtOnce), (_, Made::Queued)], None) => Ok(made),
            _ => Err(format!("made several jobs: {made:?}")),
        }
    }

    /// Tells a worker of a piece, which has a little time for it.
    async fn deliver(&mut self, piece: PieceKey) -> Result<(), Wrong> {
        let end = Instant::now() + self.patience();
        let answer = delivered(&self.over().until(end), piece).await;
        self.database.shut_out().await;
        self.told.deliveries += 1;
        let is_given_back =
            answer["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty());
        self.told.given_back += usize::from(is_given_back);
        self.log.push(format!("{piece:?} given back: {is_given_back}"));
        self.look_at(piece.job).await?;
        if !is_given_back && self.open_pieces().await?.contains(&piece) {
            return Err(format!("{piece:?} is open, and was not given back"));
        }
        Ok(())
    }

    /// Lets the model know what a job says by now.
    async fn look_at(&mut self, job: JobId) -> Result<(), Wrong> {
        let report = self.behind.store.report(job).await.map_err(|problem| problem.to_string())?;
        let since = self.model.now();
        let counts = Counts::made_in(since);
        let written = Written { since, memberships: None, counts: &counts };
        self.model.stepped(&Said::by(&report.ok_or("no job")?), written)
    }

    /// Carries out what is open, now that nothing goes wrong any more.
    async fn end(&mut self) -> Result<(), Wrong> {
        for piece in self.open_pieces().await? {
            delivered(&self.behind, piece).await;
            self.look_at(piece.job).await?;
        }
        for request in mem::take(&mut self.asked) {
            // Whoever has used a key still gets the job.
            if matches!(request.judged(self.model.state(), &self.model.limits), Expected::Before(_)) {
                self.ask(&request).await?;
            }
        }
        invariants::hold(&self.behind.store, &self.table, &self.model).await
    }

    async fn open_pieces(&self) -> Result<Vec<PieceKey>, Wrong> {
        let mut open = Vec::new();
        for shard in 0..OPEN_SHARDS {
            let found = self.behind.store.open_pieces(shard, None, 1000).await;
            open.extend(found.map_err(|problem| problem.to_string())?);
        }
        open.sort();
        Ok(open)
    }

    /// How long something is tried: sometimes not even as long as it takes.
    fn patience(&mut self) -> Duration {
        let millis = if self.rng.u8(0..10) == 0 { 1..40 } else { 200..1200 };
        Duration::from_millis(self.rng.u64(millis))
    }

    /// The service as a function has it now.
    fn over(&self) -> Service {
        let client = self.database.client_waiting(SILENCE);
        let settings = Arc::clone(&self.behind.settings);
        Service { store: Store::new(DynamoDb::new(client, TABLE), self.behind.clock().clone()), settings }
    }

    /// All that the table holds but queues, out of which anyone takes what has ended, who has shared with whom, and the clocks of
    /// tenants: it is no harm to say so of a share that was not made, or to raise these for it.
    fn everything(&self) -> BTreeMap<String, Row> {
        let is_sender = |item: &Row| text(item, "pk").is_some_and(|pk| pk.starts_with("S#"));
        let items = everything(&self.table).into_iter().filter(|item| !is_sender(item));
        let key = |item: &Row| format!("{:?} {:?}", item.get("pk"), item.get("sk"));
        let mut compared = BTreeMap::new();
        for mut item in items {
            let is_tenant = text(&item, "pk").is_some_and(|pk| pk.starts_with("T#"));
            if is_tenant {
                item.retain(|name, _| !["queued", "open_pairs", "clock"].contains(&name.as_str()));
            }
            if !is_tenant || item.keys().any(|name| !["pk", "sk"].contains(&name.as_str())) {
                compared.insert(key(&item), item);
            }
        }
        compared
    }
}

/// An item as the database has it.
type Row = HashMap<String, AttributeValue>;

fn text<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    match row.get(name)? {
        AttributeValue::S(text) => Some(text),
        _ => None,
    }
}
