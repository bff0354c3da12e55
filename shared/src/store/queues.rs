//! The queue of a tenant: which of its jobs are open, how many pairs they have, and the stamp that its later requests must be
//! above. It stands on the tenant's item, which every request about the tenant reads.
//!
//! Small jobs stand beside each other in the queue. Large ones wait in line: only the active one of a line has work items,
//! so that a tenant who asks for much has a bounded number of them, on one machine and in the table's stream on AWS alike.

use std::collections::BTreeSet;
use std::iter;

use futures_util::future::try_join_all;

use super::call::{NotWritten, is_condition};
use super::item::{self, AttributeValue, Item};
use super::jobs::{Release, job_writes};
use super::keys;
use super::requests::{Remembered, before_as, remember};
use super::{Store, StoreError, Submitted};
use crate::domain::{Job, JobId, Line, Queue, Stamp, Tenant, TenantId};
use crate::table::Write;

/// What came of queueing a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// What came of the request.
    Submitted(Submitted),
    /// A later request of the tenant was queued meanwhile, or its line has moved: the job needs a new stamp.
    Stale,
    /// The tenant has as many open jobs, or pairs in them, as it may.
    Full,
}

/// The most open jobs of a tenant: each is named on its item.
const JOBS_PER_TENANT: usize = 100;

/// A tenant in whose queue a job is to stand, as it was read.
pub type QueueOf = (TenantId, Tenant);

impl Store {
    /// Reads a tenant. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn tenant(&self, id: &TenantId) -> Result<Tenant, StoreError> {
        self.read_one(keys::tenant(id)).await?.as_ref().map_or(Ok(Tenant::default()), parse)
    }

    /// Accepts a job for later: one transaction of the job, its first work items, the queues that it stands in, and the
    /// remembered request. The first of the tenants has the job in its line, and its pairs count as that one's.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn queue(
        &self,
        job: &Job,
        queues: &[QueueOf],
        most_pairs: u32,
        remembered: Option<&Remembered>,
    ) -> Result<Queued, StoreError> {
        let line = Line::of(&job.task);
        let must_wait = queues.first().is_some_and(|(_, first)| first.queue.active.contains_key(&line));
        let (place, release) = match (job.is_large(), must_wait) {
            (false, _) => (Place::Beside, Release::First),
            (true, false) => (Place::Active(line), Release::First),
            (true, true) => (Place::Behind(line), Release::Held),
        };
        let places = iter::once((place, job.pair_count())).chain(iter::repeat((Place::Beside, 0)));
        let mut writes: Vec<_> = remembered.map(|request| remember(request, job)).into_iter().collect();
        let enqueue = |((id, _), (place, pairs)): (&QueueOf, _)| enqueue(id, job, place, pairs, most_pairs);
        writes.extend(queues.iter().zip(places).map(enqueue));
        let header = writes.len();
        writes.extend(job_writes(job, release)?);
        let reasons = match self.transact(&writes).await {
            Ok(()) => return Ok(Queued::Submitted(Submitted::Yes)),
            Err(NotWritten::Store(error)) => return Err(error),
            Err(NotWritten::Conditions(reasons)) => reasons,
        };
        let found = |place: usize| {
            reasons.get(place).filter(|reason| is_condition(reason)).and_then(|reason| reason.found.as_ref())
        };
        match (remembered.zip(found(0)), found(header)) {
            (Some((remembered, before)), _) => before_as(before, remembered).map(Queued::Submitted),
            // An earlier attempt was made, and its answer lost.
            (None, Some(before)) if item::get_json::<Job>(before, "job")? == *job => {
                Ok(Queued::Submitted(Submitted::Yes))
            }
            _ => self.why_not_queued(job, queues, most_pairs).await,
        }
    }

    async fn why_not_queued(
        &self,
        job: &Job,
        queues: &[QueueOf],
        most_pairs: u32,
    ) -> Result<Queued, StoreError> {
        for (number, (id, _)) in queues.iter().enumerate() {
            let Queue { jobs, pairs, .. } = self.tenant(id).await?.queue;
            let more = if number == 0 { job.pair_count() } else { 0 };
            let pairs = pairs.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
            if jobs.len() >= JOBS_PER_TENANT || (number == 0 && pairs > u64::from(most_pairs)) {
                return Ok(Queued::Full);
            }
        }
        Ok(Queued::Stale)
    }

    /// Takes a job that has ended out of its queues, and makes the next large one of its line active. That it was taken out
    /// before is no error. One write for each of the queues, and for a large job what [`Self::activate_next`] takes.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed; then it is done by a sweep, or by the next reader of the queue.
    pub(crate) async fn dequeue(&self, job: &Job) -> Result<(), StoreError> {
        for (number, tenant) in job.queues.iter().enumerate() {
            let is_first = number == 0;
            let pairs = if is_first { job.pair_count() } else { 0 };
            let taken = Write::update(keys::tenant(tenant), taking_out(job, is_first))
                .only_if("contains(queued, :job)")
                .value(":job", item::text(job.id))
                .value(":jobs", AttributeValue::Ss(vec![job.id.to_string()]))
                .value(":minus", item::number(-i128::try_from(pairs).unwrap_or_default()));
            // Of several workers that see the end of a job only one takes it out, and goes on.
            if self.update_if(&taken).await? && is_first && job.is_large() {
                self.activate_next(tenant, Line::of(&job.task)).await?;
            }
        }
        Ok(())
    }

    /// Makes the oldest waiting job of a line active, unless one is active. Reads the tenant, and the open jobs of its queue up
    /// to the one; one transaction.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn activate_next(&self, tenant: &TenantId, line: Line) -> Result<(), StoreError> {
        let queue = self.tenant(tenant).await?.queue;
        if queue.active.contains_key(&line) {
            return Ok(());
        }
        for id in queue.jobs {
            let Some(job) = self.held_job(id).await? else { continue };
            if Line::of(&job.task) != line {
                continue;
            }
            let activate = Write::update(keys::tenant(tenant), activating(line))
                .only_if(format!("attribute_not_exists({})", active(line)))
                .value(":job", item::text(id));
            let mut writes = vec![activate];
            writes.extend(job_writes(&job, Release::OfHeld)?);
            return self.written(&writes).await.map(drop);
        }
        Ok(())
    }

    /// Gives its turn to a large job that waits though nothing of its line is active any more: a worker was stopped before it
    /// could. Reads the tenant and its active job; besides what [`Self::dequeue`] takes.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn unblock(&self, held: &Job) -> Result<(), StoreError> {
        let Some(tenant) = held.queues.first() else { return Ok(()) };
        let line = Line::of(&held.task);
        let Some(active) = self.tenant(tenant).await?.queue.active.get(&line).copied() else {
            return self.activate_next(tenant, line).await;
        };
        match self.report(active).await?.filter(|report| report.ended().is_some()) {
            Some(ended) => self.dequeue(&ended.job).await,
            None => Ok(()),
        }
    }

    /// Leaves a stamp on the items of tenants, so that every later request about them is above it. One write for each, side by
    /// side; where one is in doubt, the request is not.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn raise_clocks(&self, tenants: &[&TenantId], stamp: Stamp) -> Result<(), StoreError> {
        let aside = self.aside();
        let raise = async |tenant: &TenantId| aside.update_if(&raise_clock(tenant, stamp)).await.map(drop);
        try_join_all(tenants.iter().map(|tenant| raise(tenant))).await.map(drop)
    }

    /// Makes a write, unless its condition does not hold. Returns whether it was made.
    async fn update_if(&self, write: &Write) -> Result<bool, StoreError> {
        match self.update(write).await {
            Ok(_) => Ok(true),
            Err(NotWritten::Conditions(_)) => Ok(false),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }
}

/// Where in a queue a job stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In no line.
    Beside,
    /// At the head of a line.
    Active(Line),
    /// In a line, behind its active job.
    Behind(Line),
}

/// Puts a job into the queue of a tenant, of whom it must be the newest request.
fn enqueue(tenant: &TenantId, job: &Job, place: Place, pairs: usize, most_pairs: u32) -> Write {
    const SET: &str = "SET #clock = :job ADD queued :jobs, open_pairs :pairs";
    let pairs = i128::try_from(pairs).unwrap_or(i128::MAX);
    let expression = match place {
        Place::Beside | Place::Behind(_) => SET,
        Place::Active(Line::Give) => {
            "SET #clock = :job, active_give = :job ADD queued :jobs, open_pairs :pairs"
        }
        Place::Active(Line::Take) => {
            "SET #clock = :job, active_take = :job ADD queued :jobs, open_pairs :pairs"
        }
    };
    let in_line = match place {
        Place::Beside => String::new(),
        Place::Active(line) => format!(" AND attribute_not_exists({})", active(line)),
        Place::Behind(line) => format!(" AND attribute_exists({})", active(line)),
    };
    let condition = format!(
        "(attribute_not_exists(#clock) OR #clock < :job) \
         AND (attribute_not_exists(queued) OR size(queued) < :most_jobs) \
         AND (attribute_not_exists(open_pairs) OR open_pairs <= :room){in_line}"
    );
    Write::update(keys::tenant(tenant), expression)
        .only_if(condition)
        .name("#clock", CLOCK)
        .value(":job", item::text(job.id))
        .value(":jobs", AttributeValue::Ss(vec![job.id.to_string()]))
        .value(":pairs", item::number(pairs))
        .value(":room", item::number(i128::from(most_pairs) - pairs))
        .value(":most_jobs", item::number(i128::try_from(JOBS_PER_TENANT).unwrap_or_default()))
}

/// Leaves the stamp of a request that was carried out at once on the item of a tenant, of whom it must be the newest request.
pub(super) fn raise_clock(tenant: &TenantId, stamp: Stamp) -> Write {
    Write::update(keys::tenant(tenant), "SET #clock = :stamp")
        .only_if("attribute_not_exists(#clock) OR #clock < :stamp")
        .name("#clock", CLOCK)
        .value(":stamp", item::text(stamp))
}

const CLOCK: &str = "clock";

/// The attribute of a tenant that names the active job of a line.
fn active(line: Line) -> &'static str {
    match line {
        Line::Give => "active_give",
        Line::Take => "active_take",
    }
}

fn activating(line: Line) -> &'static str {
    match line {
        Line::Give => "SET active_give = :job",
        Line::Take => "SET active_take = :job",
    }
}

/// Takes a job out of a queue. A large one that has ended was the active one of its line.
fn taking_out(job: &Job, is_first: bool) -> &'static str {
    match Line::of(&job.task) {
        Line::Give if is_first && job.is_large() => {
            "REMOVE active_give DELETE queued :jobs ADD open_pairs :minus"
        }
        Line::Take if is_first && job.is_large() => {
            "REMOVE active_take DELETE queued :jobs ADD open_pairs :minus"
        }
        Line::Give | Line::Take => "DELETE queued :jobs ADD open_pairs :minus",
    }
}

/// Reads a tenant from its item.
pub(super) fn parse(item: &Item) -> Result<Tenant, StoreError> {
    let text = |name| item.contains_key(name).then(|| item::get_text(item, name)).transpose();
    let stamp = |name: &'static str| {
        text(name)?.map(|text| text.parse().map_err(|_| StoreError::Unreadable(name))).transpose()
    };
    let jobs = match item.get("queued") {
        Some(AttributeValue::Ss(ids)) => ids.iter().map(|id| id.parse()).collect(),
        Some(_) => return Err(StoreError::Unreadable("queued")),
        None => Ok(BTreeSet::new()),
    };
    let mut queue = Queue {
        jobs: jobs.map_err(|_| StoreError::Unreadable("queued"))?,
        pairs: item::find_number(item, "open_pairs")?.unwrap_or_default(),
        ..Queue::default()
    };
    for line in Line::ALL {
        queue.active.extend(stamp(active(line))?.map(|id| (line, JobId(id))));
    }
    let account = text("account")?.map(|name| name.parse().map_err(|_| StoreError::Unreadable("account")));
    let region = text("region")?.map(str::to_owned);
    Ok(Tenant { account: account.transpose()?, region, clock: stamp(CLOCK)?, queue })
}
