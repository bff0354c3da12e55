//! The function `effects`, as an actor that is killed between any two of its calls, and gets changes late, twice and in
//! another order; and the changes of what share rules depend on.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex};

use imageshare::domain::Task;
use imageshare::events::{Bus, BusEntry, PublishError, Publishing};
use imageshare::table::Write;
use imageshare::usecases::UseCaseError;
use imageshare::usecases::share_rules::{Application, ShareRuleError};
use imageshare_tests::checked_bus::check_entry;
use serde_json::Value;

use super::actor::{Actor, ActorKind, MIN_RETRY_TIME};
use super::{Run, default_event};
use crate::history::{Event, Request};
use crate::model::{JobOrigin, Violation};
use crate::rule_calls;
use crate::rules::{RuleChange, RuleJob};
use crate::stream::Subject;
use crate::writes::created_job;

/// The most changes in one delivery, as in the mapping of the stream on AWS.
const MAX_BATCH: usize = 100;

/// Changes that are delivered together, by their numbers, and the bus that their events are put on.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    pub(super) records: Vec<usize>,
    pub(super) bus: Arc<ModelBus>,
}

/// A bus that takes everything or nothing.
#[derive(Debug, Default)]
pub(super) struct ModelBus {
    pub(super) refuses: bool,
    entries: Mutex<Vec<BusEntry>>,
}

impl ModelBus {
    /// Takes what was published since the last call.
    pub(super) fn take(&self) -> Vec<BusEntry> {
        mem::take(&mut *self.entries.lock().expect("no panic"))
    }
}

impl Bus for ModelBus {
    fn publish<'a>(&'a self, entries: &'a [BusEntry]) -> Publishing<'a> {
        entries.iter().try_for_each(check_entry).unwrap_or_else(|problem| panic!("{problem}"));
        let result = if self.refuses { Err(PublishError("refused".to_owned())) } else { Ok(()) };
        if result.is_ok() {
            self.entries.lock().expect("no panic").extend_from_slice(entries);
        }
        Box::pin(std::future::ready(result))
    }
}

/// What an event says, without what may be different when it is derived again: the image may have been renamed or
/// deleted since.
pub(super) fn core_of(mut detail: Value) -> Value {
    let image = detail["image"]["id"].take();
    detail["image"] = image;
    if let Some(members) = detail.as_object_mut() {
        members.remove("reason");
    }
    detail
}

impl Run<'_> {
    /// The oldest changes that were not handled, or some that come after the first ones.
    pub(super) fn next_changes(&self, skip: usize, count: usize) -> Vec<usize> {
        self.stream.unhandled().into_iter().skip(skip).take(count).collect()
    }

    /// Delivers changes.
    pub(super) async fn deliver_changes(
        &mut self,
        records: Vec<usize>,
        refuses: bool,
        event: &Event,
    ) -> Result<(), Violation> {
        if records.is_empty() {
            return Ok(());
        }
        let bus = Arc::new(ModelBus { refuses, ..ModelBus::default() });
        self.start(ActorKind::Effects(Delivery { records, bus }), event).await
    }

    /// Delivers all changes, and executes what share rules do, until nothing follows any more.
    pub(super) async fn deliver_all_changes(&mut self) -> Result<(), Violation> {
        loop {
            let records = self.next_changes(0, MAX_BATCH);
            if records.is_empty() {
                return Ok(());
            }
            self.deliver_changes(records, false, &default_event()).await?;
            self.finish().await?;
            self.sweep().await?;
        }
    }

    /// Makes a change of what share rules depend on, unless it changes nothing.
    pub(super) async fn change_rules(
        &mut self,
        change: &RuleChange,
        process: usize,
    ) -> Result<(), Violation> {
        let state = self.model.state();
        let is_change = match change {
            RuleChange::Put { .. } | RuleChange::Enter { entry: Some(_), .. } | RuleChange::Delete { .. } => {
                true
            }
            RuleChange::Enable { .. } => true,
            RuleChange::Enter { tenant, entry: None } => state.entries.contains_key(tenant),
            RuleChange::Describe { image, .. } => state.image(image).is_some(),
        };
        if !is_change {
            return Ok(());
        }
        self.model.apply_rule_change(change);
        let service = self.processes[process].service.clone();
        rule_calls::change(&service, change, self.model.state()).await?;
        let first = self.stream.records.len();
        self.stream.read(self.model.current_index())?;
        let jobs: Vec<_> =
            self.stream.records[first..].iter().filter_map(|record| record.subject.job()).collect();
        // A described image is written into the lists of its recipients.
        for job in jobs {
            let report = self.local.job_report(job).await;
            let (by, made) = (&report.job.creator, Some((job, JobOrigin::ImageChange)));
            self.model.add_job(
                by,
                made,
                crate::expectations::Task::Refresh,
                &report.job.images,
                &report.job.tenants,
            )?;
            let open = self.local.open_work_items().await;
            self.delivered.extend(open.into_iter().filter(|work_item| work_item.job == job));
        }
        Ok(())
    }

    /// Applies a job that a rule has made to the model: a request of the owner. `applied` is the rule that the owner
    /// applies; the function `effects` acts for all of them. Other writes are of no interest.
    pub(super) async fn apply_rule_job(
        &mut self,
        place: usize,
        applied: Option<u8>,
        writes: &[Write],
    ) -> Result<(), Violation> {
        let Some((job, _)) = created_job(writes) else { return Ok(()) };
        let job = self.local.job_report(job).await.job;
        self.model.check_rule_job(&job, self.actors[place].began, applied)?;
        let (by, images, to, key) = (job.creator.clone(), job.images.clone(), job.tenants.clone(), None);
        let shares = job.task == Task::Share;
        let request = if shares {
            Request::Share { by, images, to, key }
        } else {
            Request::Unshare { by, images, to, key }
        };
        if applied.is_none() {
            let (images, tenants) = (job.images.clone(), job.tenants.iter().cloned().collect());
            self.rule_jobs.push(RuleJob { shares, images, tenants });
            self.statistics.count_rule_job();
        }
        // One actor makes several requests.
        self.actors[place].has_written = false;
        self.apply_request(place, &request, writes).await
    }

    /// Checks the response of `effects`, which fails only if it was disturbed; and what it has published.
    pub(super) fn check_effects(
        &mut self,
        actor: &Actor,
        delivery: &Delivery,
        response: &Value,
    ) -> Result<(), Violation> {
        for entry in delivery.bus.take() {
            self.record_published(&entry.detail)?;
        }
        let failures = response["batchItemFailures"].as_array().ok_or("no response to the stream")?;
        let may_fail = actor.has_crashed
            || actor.has_timed_out
            || delivery.bus.refuses
            || actor.has_conflicted_for(MIN_RETRY_TIME);
        if !failures.is_empty() && !may_fail {
            return Err(format!("effects returned {response}"));
        }
        // The stream does not get the response of one that was killed.
        if actor.has_crashed {
            return Ok(());
        }
        let failed = match failures.first() {
            None => None,
            Some(failure) => {
                let found = self.stream.find(&delivery.records, &failure["itemIdentifier"]);
                Some(found.ok_or_else(|| format!("effects returned {response}"))?)
            }
        };
        for number in delivery.records.iter().take_while(|number| Some(**number) != failed) {
            self.stream.records[*number].is_handled = true;
        }
        Ok(())
    }

    /// Records a published event. One with an earlier one's id has to be that.
    fn record_published(&mut self, detail: &Value) -> Result<(), Violation> {
        self.statistics.count_event();
        let id = detail["id"].as_str().ok_or("an event has no id")?.to_owned();
        let core = core_of(detail.clone());
        let earlier = self.published.entry(id).or_insert_with(|| core.clone());
        if *earlier == core { Ok(()) } else { Err(format!("one id for two events: {earlier} and {core}")) }
    }

    /// Checks the response to an owner that applies a rule.
    pub(super) fn check_applied(
        &self,
        actor: &Actor,
        (owner, rule): (&imageshare::domain::TenantId, u8),
        result: &Result<Application, ShareRuleError>,
    ) -> Result<(), Violation> {
        let key = (owner.clone(), rule);
        let mut states = self.model.states[actor.began..].iter();
        let is_disturbed = actor.has_crashed
            || actor.has_timed_out
            || actor.is_in_doubt
            || actor.has_conflicted_for(MIN_RETRY_TIME);
        let is_right = match result {
            Ok(_) => states.any(|state| state.rules.contains_key(&key)),
            Err(ShareRuleError::NotFound(_)) => states.any(|state| !state.rules.contains_key(&key)),
            Err(ShareRuleError::UseCase(UseCaseError::Store(problem))) => {
                is_disturbed && problem.is_transient()
            }
            Err(_) => false,
        };
        if is_right { Ok(()) } else { Err(format!("{owner} applied rule {rule}: {result:?}")) }
    }
}

impl Subject {
    fn job(&self) -> Option<imageshare::domain::JobId> {
        if let Self::Job(job) = self { Some(*job) } else { None }
    }
}

/// The published events, by their ids.
pub(super) type Published = BTreeMap<String, Value>;
