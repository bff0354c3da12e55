//! The use cases over an embedded table, without functions: for tests of what is written and what it costs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dynoxide::actions::scan::ScanRequest;
use dynoxide::types::AttributeValue;
use imageshare::domain::{
    Bypass, Caller, Clock, Details, Image, ImageId, Job, JobId, JobReport, Limits, MessageId, MessageKind,
    MessagePart, Role, Stamp, Task, TenantId, Timestamp, Visibility,
};
use imageshare::events::BusEntry;
use imageshare::store::{EnqueueOutcome, OPEN_SHARDS, Store, SubmitOutcome, WorkItemKey};
use imageshare::table::Table;
use imageshare::usecases::{NewImage, execute, register_image};
use imageshare::{App, Settings};
use imageshare_local::TABLE;
use imageshare_local::effects::{Batch, hand_over, handle, next_batch};
use imageshare_local::functions::CURRENT_FUNCTION;
use imageshare_local::table::{EmbeddedTable, Lane, TableLane};

use crate::checked_bus::CheckedBus;
use crate::permissions::AuthorizedTable;

/// The app on an in-memory table of its own.
pub struct LocalService {
    /// The app.
    pub service: App,
    /// Its table, for direct writes.
    pub table: TableLane,
    /// The table's database, for direct reads.
    pub embedded: EmbeddedTable,
}

impl LocalService {
    /// Starts with an empty table.
    pub fn start(limits: Limits) -> Self {
        Self::start_with_table(limits, |table| table)
    }

    /// Starts with an empty table, wrapped by `through`.
    pub fn start_with_table<T: Table + 'static>(
        limits: Limits,
        through: impl FnOnce(TableLane) -> T,
    ) -> Self {
        let embedded = EmbeddedTable::open(None).expect("a database in memory");
        let table = embedded.lane(Lane::Request);
        let store = AuthorizedTable::new(Arc::new(through(table.clone())));
        let store = Store::new(store, Clock::for_server());
        let settings = Arc::new(Settings {
            region: "local".to_owned(),
            public_url: None,
            directory_is_complete: false,
            limits,
            waiting_reads: None,
        });
        Self { service: App { store, settings }, table, embedded }
    }

    /// Registers an image that can be shared.
    pub async fn create_image(&self, owner: &str) -> ImageId {
        self.create_image_with(owner, &[]).await
    }

    /// Registers an image that can be shared, with these properties.
    pub async fn create_image_with(&self, owner: &str, properties: &[(&str, &str)]) -> ImageId {
        let properties =
            properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let details = Details { properties, ..Details::default() };
        let new = NewImage { id: None, owner: None, visibility: Visibility::Shared, details };
        register_image(&self.service, &caller(owner), new, None).await.expect("an image").id
    }

    /// The open work items, in the order of their requests.
    pub async fn open_work_items(&self) -> Vec<WorkItemKey> {
        let mut work_items = Vec::new();
        for shard in 0..OPEN_SHARDS {
            work_items
                .extend(self.service.store.open_work_items(shard, None, 1000).await.expect("the index"));
        }
        work_items.sort();
        work_items
    }

    /// Queues a job, as a request does that is too large to be executed at once.
    ///
    /// # Panics
    /// If the job is not accepted.
    pub async fn queue_job(&self, job: &Job) {
        queue_job(&self.service, job).await;
    }

    /// Executes all open work items.
    pub async fn run_open_work(&self) {
        loop {
            let open = self.open_work_items().await;
            for key in &open {
                let executed = CURRENT_FUNCTION.scope("job-worker", execute(&self.service, *key)).await;
                executed.expect("an executed work item");
            }
            // Each work item of a large job creates the next one.
            if open.is_empty() {
                return;
            }
        }
    }

    /// Carries out what follows from all changes so far, as the function `effects`. Returns what it publishes.
    pub async fn carry_out_effects(&self) -> Vec<BusEntry> {
        let bus = CheckedBus::default();
        while hand_over(&self.embedded, &self.service, &bus, "local").await.expect("effects") {}
        bus.take()
    }

    /// The oldest changes that were not handled, as the function `effects` gets them.
    pub async fn changes(&self) -> Batch {
        next_batch(&self.embedded, "local").await.expect("the table").expect("changes")
    }

    /// Has the function `effects` handle changes, which stay where they are. Returns what it publishes.
    pub async fn effects_of(&self, changes: &Batch) -> Vec<BusEntry> {
        let bus = CheckedBus::default();
        handle(changes, &self.service, &bus).await.expect("effects");
        bus.take()
    }

    /// A job and its work items.
    pub async fn job_report(&self, id: JobId) -> JobReport {
        let report = self.service.store.report(id).await.expect("the table").expect("the job");
        report.bypass(Bypass::Test)
    }

    /// The member count of an image, as stored.
    pub async fn member_count(&self, id: &ImageId) -> u32 {
        let head = self.service.store.head(id).await.expect("the table").expect("the image");
        head.bypass(Bypass::Test).member_count
    }

    /// An image, as stored.
    pub async fn read_image(&self, id: &ImageId) -> Image {
        let image = self.service.store.image(id).await.expect("the table").expect("the image");
        image.bypass(Bypass::Test)
    }
}

/// A job requested at a moment, and queued for a tenant.
pub fn job_at(at: Stamp, creator: &str, task: Task, images: Vec<ImageId>, tenants: Vec<TenantId>) -> Job {
    let (creator, accepted) = (tenant(creator), at.time());
    let queues = match &task {
        Task::Share | Task::Unshare => vec![creator.clone()],
        Task::Refresh => Vec::new(),
        Task::Respond { .. } | Task::RespondToAll { .. } | Task::RespondToOwners { .. } => tenants.clone(),
    };
    Job { id: JobId(at), creator, task, images, tenants, accepted_at: accepted, queues, may_repeat: false }
}

/// Queues a job, as a request does that is too large to be executed at once.
///
/// # Panics
/// If the job is not accepted.
pub async fn queue_job(service: &App, job: &Job) {
    let mut queues = Vec::new();
    for id in &job.queues {
        queues.push((id.clone(), service.store.tenant(id).await.expect("the table")));
    }
    let outcome = service.store.enqueue_job(job, &queues, u32::MAX, None).await.expect("the table");
    assert_eq!(outcome, EnqueueOutcome::Submitted(SubmitOutcome::Accepted));
}

/// Writes a message to a tenant, that an owner has offered it an image.
///
/// # Panics
/// If the table fails.
pub async fn create_message(store: &Store, recipient: &str, owner: &str) -> MessageId {
    let (kind, counterpart) = (MessageKind::ShareOffered, tenant(owner));
    let id = MessageId { stamp: store.clock().stamp(), kind, counterpart };
    let images = [("i-1".parse().expect("an id"), Some("web".to_owned()))].into();
    let part = MessagePart { images, key: None };
    store.add_to_message(&tenant(recipient), &id, &part).await.expect("the table");
    id
}

/// All items of a table.
pub fn all_items(table: &EmbeddedTable) -> Vec<HashMap<String, AttributeValue>> {
    let (mut items, mut start) = (Vec::new(), None);
    loop {
        let scan =
            ScanRequest { table_name: TABLE.to_owned(), exclusive_start_key: start, ..Default::default() };
        let page = table.database().scan(scan).expect("the table");
        items.extend(page.items.into_iter().flatten());
        start = page.last_evaluated_key;
        if start.is_none() {
            return items;
        }
    }
}

/// Waits until the clock has advanced, so that what is created next is newer than everything before.
pub async fn next_millisecond() {
    let now = Timestamp::now();
    while Timestamp::now() == now {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A caller with a project.
pub fn caller(project: &str) -> Caller {
    Caller { tenant: tenant(project), account: None, user: None, access_key: None, role: Role::Member }
}

/// Parses a tenant's id.
pub fn tenant(id: &str) -> TenantId {
    id.parse().expect("an id")
}
