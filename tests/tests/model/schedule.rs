//! Fault schedules: some requests over HTTP and the AWS SDK, and the work that they create, while DynamoDB fails
//! beneath in every way it can, and then recovers.
//!
//! What was acknowledged was done once. What got a 503 was done wholly or not at all. What was refused was not done.
//! All is checked against the model.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::types::AttributeValue;
use imageshare::auth::Authenticator;
use imageshare::domain::{Bypass, Clock, JobId, Stamp, Status, Timestamp};
use imageshare::function::HttpFunction;
use imageshare::store::{OPEN_SHARDS, Store, WorkItemKey};
use imageshare::table::DynamoDb;
use imageshare::{App, Settings};
use imageshare_local::TABLE;
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::deployment::authenticator;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::{ApiResponse, send_event};
use imageshare_tests::local_service::all_items;
use imageshare_tests::table_server::TableServer;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::time::Instant;

use crate::calls::{CallResult, call, deliver_work_item};
use crate::expectations::ExpectedResult;
use crate::history::{Request, TENANTS, any_request, extra_tenants, setup_requests};
use crate::http;
use crate::inbox::InboxCounts;
use crate::invariants;
use crate::model::{AppliedRequest, JobOrigin, Model, ReadContext, Violation};
use crate::reads;
use crate::run::history_limits;
use crate::state::PairId;
use crate::steps::{JobProgress, StepWrites};
use crate::writes;

/// How long the service waits for one response of DynamoDB: some never come.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);

/// A number of pairs that does not fit into one transaction.
const MIN_QUEUED_PAIRS: usize = 99;

/// The time that a function reserves for its response.
const RESPONSE_MARGIN: Duration = Duration::from_millis(500);

/// Statistics of all schedules.
#[derive(Debug, Default)]
pub struct ScheduleCounts {
    pub requests: usize,
    pub acknowledged: usize,
    pub refused: usize,
    /// 503 responses, and those of them whose request was executed.
    pub unavailable: usize,
    pub unavailable_but_done: usize,
    /// Batches that were executed at once, and those that were queued.
    pub immediate: usize,
    pub queued: usize,
    /// Reads, and those with a 503.
    pub reads: usize,
    pub unavailable_reads: usize,
    /// Deliveries of work items, and those that the worker returned.
    pub deliveries: usize,
    pub returned: usize,
}

impl ScheduleCounts {
    pub fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.acknowledged += more.acknowledged;
        self.refused += more.refused;
        self.unavailable += more.unavailable;
        self.unavailable_but_done += more.unavailable_but_done;
        self.immediate += more.immediate;
        self.queued += more.queued;
        self.reads += more.reads;
        self.unavailable_reads += more.unavailable_reads;
        self.deliveries += more.deliveries;
        self.returned += more.returned;
    }
}

impl fmt::Display for ScheduleCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} acknowledged, {} refused, {} with a 503 ({} of them executed); {} batches \
             executed at once, {} queued; {} reads, {} with a 503; {} deliveries of work items, {} \
             returned",
            self.requests,
            self.acknowledged,
            self.refused,
            self.unavailable,
            self.unavailable_but_done,
            self.immediate,
            self.queued,
            self.reads,
            self.unavailable_reads,
            self.deliveries,
            self.returned
        )
    }
}

/// A DynamoDB with faults, and what a schedule needs.
pub struct Schedule<'a> {
    database: &'a TableServer,
    table: Arc<EmbeddedTable>,
    authenticator: Authenticator,
    /// The service without faults.
    direct_service: App,
    model: Model,
    sent: Vec<Request>,
    /// A log of the schedule, printed if it fails.
    log: Vec<String>,
    rng: fastrand::Rng,
    counts: &'a mut ScheduleCounts,
}

/// Runs the schedule of a seed.
pub async fn run(seed: u64, database: &TableServer, counts: &mut ScheduleCounts) -> Result<(), Violation> {
    let mut rng = fastrand::Rng::with_seed(seed);
    database.reset();
    let limits = history_limits(rng.choice([200, 2]).unwrap_or(200), rng.choice([200, 2]).unwrap_or(200));
    let settings = Arc::new(Settings {
        region: "local".to_owned(),
        public_url: None,
        directory_is_complete: false,
        limits,
        waiting_reads: None,
    });
    let table = database.embedded();
    let behind = App { store: Store::new(table.lane(Lane::Request), Clock::for_function()), settings };
    let authenticator = authenticator();
    let (model, asked, log) = (Model::new(limits), Vec::new(), Vec::new());
    let mut schedule = Schedule {
        database,
        table,
        authenticator,
        direct_service: behind,
        model,
        sent: asked,
        log,
        rng,
        counts,
    };
    let ran = schedule.run(seed).await;
    ran.map_err(|violation| format!("{violation}, after\n{}", schedule.log.join("\n")))
}

impl Schedule<'_> {
    async fn run(&mut self, seed: u64) -> Result<(), Violation> {
        self.set_up().await?;
        self.database.fail_at_random(seed, self.rng.u8(5..45));
        self.run_requests(seed).await?;
        self.database.clear_faults();
        self.finish().await
    }

    async fn set_up(&mut self) -> Result<(), Violation> {
        for request in setup_requests() {
            match call(&self.direct_service, request.clone()).await {
                CallResult::Done => {
                    let at = Stamp::first_of(Timestamp::now());
                    self.apply_request(&request, AppliedRequest { at, job: None, accepted: None })?;
                }
                other => return Err(format!("{request:?}: {other:?}")),
            }
        }
        Ok(())
    }

    async fn run_requests(&mut self, seed: u64) -> Result<(), Violation> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut requests = TestRunner::new_with_rng(Config::default(), rng);
        for _ in 0..self.rng.u8(3..7) {
            let mut next =
                any_request().new_tree(&mut requests).map_err(|reason| reason.to_string())?.current();
            // IMS has no request that undoes a decision; and a crowd takes the time of many schedules.
            let is_crowd = matches!(&next, Request::Share { to, .. } | Request::Unshare { to, .. } if to.len() > TENANTS.len());
            if let Request::Share { images, to, .. } | Request::Unshare { images, to, .. } = &mut next
                && !is_crowd
                && self.rng.u8(0..10) == 0
            {
                // As many as are queued.
                to.extend(extra_tenants(MIN_QUEUED_PAIRS.div_ceil(images.len()) - to.len()));
            }
            let is_unknown = matches!(
                &next,
                Request::Respond { decision, .. } | Request::RespondToAll { decision, .. }
                    if decision.status == Status::Pending
            );
            if is_crowd || is_unknown {
                continue;
            }
            while self.send_request(&next).await? == 503 && self.rng.bool() {}
            if self.rng.u8(0..3) > 0 {
                for work_item in self.open_work_items().await? {
                    self.deliver(work_item).await?;
                }
            }
            if self.rng.bool() {
                self.read().await?;
            }
        }
        Ok(())
    }

    /// Makes a client's request, and checks the response against what was done.
    async fn send_request(&mut self, request: &Request) -> Result<u16, Violation> {
        self.sent.push(request.clone());
        let before = self.table_contents();
        let response = self.send(&http::request_event(request)).await;
        let after = self.table_contents();
        let changed: Vec<_> = after
            .iter()
            .filter(|(key, row)| before.get(*key) != Some(*row))
            .map(|(_, row)| row.clone())
            .collect();
        let is_done = after != before;
        self.counts.requests += 1;
        let checked = if is_done && changed.is_empty() {
            // Something was deleted, and nothing else changed.
            self.check_response(request, &response, &[Row::new()]).await
        } else {
            self.check_response(request, &response, &changed).await
        };
        self.log.push(format!("{request:?}: {} {}, done: {is_done}", response.status, response.body));
        checked?;
        if is_done && response.status == 503 {
            invariants::check_table(&self.direct_service.store, &self.table, self.model.state()).await?;
        }
        Ok(response.status)
    }

    /// Makes a client's read.
    async fn read(&mut self) -> Result<(), Violation> {
        let mut looks = reads::expected_reads(&self.model);
        let look = looks.swap_remove(self.rng.usize(..looks.len()));
        let response = self.send(&look.event()).await;
        self.counts.reads += 1;
        self.counts.unavailable_reads += usize::from(response.status == 503);
        look.check(&response)
    }

    async fn send(&mut self, event: &HttpEvent) -> ApiResponse {
        let end = Timestamp::now().plus(RESPONSE_MARGIN + self.random_timeout());
        let function = HttpFunction::new(self.faulty_service(), self.authenticator.clone());
        let response = send_event(&function, event, Some(end)).await;
        self.database.disconnect_clients().await;
        response
    }

    async fn check_response(
        &mut self,
        request: &Request,
        response: &ApiResponse,
        changed: &[Row],
    ) -> Result<(), Violation> {
        let now = self.model.current_index();
        let counts = InboxCounts::counted_in(now);
        let reading = ReadContext { began: now, since: now, counts: &counts };
        let returned_job = response.body["job_id"].as_str().and_then(|id| id.parse::<JobId>().ok());
        match response.status {
            200..300 => self.counts.acknowledged += 1,
            503 => self.counts.unavailable += 1,
            _ => self.counts.refused += 1,
        }
        match (response.status, !changed.is_empty()) {
            (200..300, true) => {
                let created = self.apply_changes(request, changed).await?;
                if returned_job.is_none() || returned_job == created {
                    Ok(())
                } else {
                    Err("another job".to_owned())
                }
            }
            (200..300, false) => self.model.check_response(request, reading, |expected| match expected {
                ExpectedResult::Replayed(job) => returned_job == Some(*job),
                // What is as requested already need not change.
                ExpectedResult::Accepted => {
                    matches!(
                        request,
                        Request::SetVisibility { .. }
                            | Request::SetKeyGrant { .. }
                            | Request::SetPolicy { .. }
                            | Request::SetVault { .. }
                    )
                }
                ExpectedResult::Refused(_) | ExpectedResult::InUse | ExpectedResult::MissingVault => false,
            }),
            (503, true) => {
                self.counts.unavailable_but_done += 1;
                self.apply_changes(request, changed).await.map(drop)
            }
            (503, false) if response.headers.contains_key("retry-after") => Ok(()),
            (400..500, false) => {
                let is_refused = |expected: &ExpectedResult| {
                    !matches!(expected, ExpectedResult::Accepted | ExpectedResult::Replayed(_))
                };
                self.model.check_response(request, reading, is_refused)
            }
            _ => Err(format!("something was changed: {changed:?}")),
        }
    }

    /// Applies to the model what a request has changed. Returns the last job that it has created.
    async fn apply_changes(
        &mut self,
        request: &Request,
        changed: &[Row],
    ) -> Result<Option<JobId>, Violation> {
        let created = self.new_jobs(request, changed)?;
        let memberships = changed
            .iter()
            .filter_map(|row| string_attribute(row, "membership"))
            .filter_map(writes::newest_stamp_in);
        let at = memberships.max().unwrap_or(Stamp::first_of(Timestamp::now()));
        let has_unwritten_job = self.apply_unwritten_job(request, (changed, at), &created)?;
        if created.is_empty() && !has_unwritten_job {
            self.apply_request(request, AppliedRequest { at, job: None, accepted: None })?;
        }
        for (job, how) in &created {
            self.apply_request(request, AppliedRequest { at, job: Some((*job, *how)), accepted: None })?;
            if *how == JobOrigin::Immediate {
                self.counts.immediate += 1;
                self.check_job(*job).await?;
            } else if *how == JobOrigin::Queued {
                self.counts.queued += 1;
            }
        }
        Ok(created.last().map(|(job, _)| *job))
    }

    /// Applies the pairs of a batch that was executed at once, if its job could not be written after them. Returns
    /// whether there are any.
    fn apply_unwritten_job(
        &mut self,
        request: &Request,
        (changed, at): (&[Row], Stamp),
        created: &[(JobId, JobOrigin)],
    ) -> Result<bool, Violation> {
        let is_batch =
            matches!(request, Request::Share { .. } | Request::Unshare { .. } | Request::Respond { .. });
        let written: BTreeSet<PairId> = changed.iter().filter_map(changed_pair).collect();
        let is_written = created.iter().any(|(_, how)| *how == JobOrigin::Immediate);
        if !is_batch || request.key().is_some() || is_written || written.is_empty() {
            return Ok(false);
        }
        self.apply_request(
            request,
            AppliedRequest { at, job: Some((JobId(at), JobOrigin::Immediate)), accepted: None },
        )?;
        let now = self.model.current_index();
        self.model.apply_unwritten_job(JobId(at), &written, &InboxCounts::counted_in(now))?;
        Ok(true)
    }

    fn apply_request(&mut self, request: &Request, granted: AppliedRequest) -> Result<(), Violation> {
        let now = self.model.current_index();
        let counts = InboxCounts::counted_in(now);
        self.model.apply_request(request, ReadContext { began: now, since: now, counts: &counts }, granted)
    }

    /// The jobs that a request has created: one; or one that was executed at once and whose response was lost, and
    /// then the same one queued.
    fn new_jobs(&self, request: &Request, changed: &[Row]) -> Result<Vec<(JobId, JobOrigin)>, Violation> {
        let mut created = Vec::new();
        for row in changed.iter().filter(|row| string_attribute(row, "sk") == Some("A")) {
            let id = string_attribute(row, "pk").and_then(|pk| pk.strip_prefix("J#")?.parse().ok());
            let how = match request {
                _ if row.contains_key("finished") => JobOrigin::Immediate,
                Request::DeleteImage { .. } | Request::SetVisibility { .. } => JobOrigin::ImageChange,
                _ => JobOrigin::Queued,
            };
            created.extend(id.filter(|id| !self.model.jobs.contains_key(id)).map(|id| (id, how)));
        }
        created.sort_by_key(|(id, how)| (*how, *id));
        match (&created[..], request.key()) {
            ([] | [_], _) | ([(_, JobOrigin::Immediate), (_, JobOrigin::Queued)], None) => Ok(created),
            _ => Err(format!("created several jobs: {created:?}")),
        }
    }

    /// Delivers a work item to a worker, with a short deadline.
    async fn deliver(&mut self, work_item: WorkItemKey) -> Result<(), Violation> {
        let end = Instant::now() + self.random_timeout();
        let response = deliver_work_item(&self.faulty_service().with_deadline(end), work_item).await;
        self.database.disconnect_clients().await;
        self.counts.deliveries += 1;
        let is_given_back =
            response["batchItemFailures"].as_array().is_some_and(|failures| !failures.is_empty());
        self.counts.returned += usize::from(is_given_back);
        self.log.push(format!("{work_item:?} returned: {is_given_back}"));
        self.check_job(work_item.job).await?;
        if !is_given_back && self.open_work_items().await?.contains(&work_item) {
            return Err(format!("{work_item:?} is open, and was not returned"));
        }
        Ok(())
    }

    /// Applies the present outcomes of a job to the model.
    async fn check_job(&mut self, job: JobId) -> Result<(), Violation> {
        let report = self.direct_service.store.report(job).await.map_err(|problem| problem.to_string())?;
        let report = report.ok_or("no job")?.bypass(Bypass::Test);
        let since = self.model.current_index();
        let counts = InboxCounts::counted_in(since);
        let written = StepWrites { since, memberships: None, accepted: None, counts: &counts };
        self.model.apply_step(&JobProgress::from_report(&report), written)
    }

    /// Executes what is open, without faults.
    async fn finish(&mut self) -> Result<(), Violation> {
        for work_item in self.open_work_items().await? {
            deliver_work_item(&self.direct_service, work_item).await;
            self.check_job(work_item.job).await?;
        }
        for request in mem::take(&mut self.sent) {
            // An idempotency key still returns its job.
            if matches!(
                request.expected_result(self.model.state(), &self.model.limits),
                ExpectedResult::Replayed(_)
            ) {
                self.send_request(&request).await?;
            }
        }
        invariants::check(&self.direct_service.store, &self.table, &self.model).await
    }

    async fn open_work_items(&self) -> Result<Vec<WorkItemKey>, Violation> {
        let mut open = Vec::new();
        for shard in 0..OPEN_SHARDS {
            let found = self.direct_service.store.open_work_items(shard, None, 1000).await;
            open.extend(found.map_err(|problem| problem.to_string())?);
        }
        open.sort();
        Ok(open)
    }

    /// A time limit for retries, sometimes shorter than one attempt.
    fn random_timeout(&mut self) -> Duration {
        let millis = if self.rng.u8(0..10) == 0 { 1..40 } else { 200..1200 };
        Duration::from_millis(self.rng.u64(millis))
    }

    /// The service as a function has it now.
    fn faulty_service(&self) -> App {
        let client = self.database.client_with_timeout(RESPONSE_TIMEOUT);
        let settings = Arc::clone(&self.direct_service.settings);
        App { store: Store::new(DynamoDb::new(client, TABLE), self.direct_service.clock().clone()), settings }
    }

    /// All items of the table except queues, from which anyone may remove ended jobs, senders, and tenants' clocks:
    /// these may be written for a share that was not made.
    fn table_contents(&self) -> BTreeMap<String, Row> {
        let is_sender = |item: &Row| string_attribute(item, "pk").is_some_and(|pk| pk.starts_with("S#"));
        let items = all_items(&self.table).into_iter().filter(|item| !is_sender(item));
        let key = |item: &Row| format!("{:?} {:?}", item.get("pk"), item.get("sk"));
        let mut compared = BTreeMap::new();
        for mut item in items {
            let is_tenant = string_attribute(&item, "pk").is_some_and(|pk| pk.starts_with("T#"));
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

/// The pair whose membership a row is.
fn changed_pair(row: &Row) -> Option<PairId> {
    string_attribute(row, "membership")?;
    let image = string_attribute(row, "pk")?.strip_prefix("I#")?.parse().ok()?;
    let tenant = string_attribute(row, "sk")?.strip_prefix("M#")?.parse().ok()?;
    Some((image, tenant))
}

fn string_attribute<'a>(row: &'a Row, name: &str) -> Option<&'a str> {
    match row.get(name)? {
        AttributeValue::S(text) => Some(text),
        _ => None,
    }
}
