//! The table: one DynamoDB table with three indexes, and everything that is asked of it.
//!
//! Every change is a conditional write whose condition says what must still be true. A write that DynamoDB cannot
//! make just now (a throttled partition, another transaction on the same item) is tried again here with jitter; a
//! condition that does not hold is an answer, and goes to the caller.

mod access_keys;
mod clock;
mod commit;
mod definition;
mod directory;
mod idempotency;
mod images;
mod inbox_cache;
mod item;
mod jobs;
mod key_grants;
mod keys;
mod lists;
mod lookups;
mod memberships;
mod meter;
mod nonces;
mod pending_scan;
mod queues;
mod retry_budget;
mod revocations;
mod senders;
mod snapshot;
mod table_calls;
mod vaults;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::inbox_cache::InboxCache;
use self::meter::DirtyFlag;
use self::senders::SenderCache;
use crate::domain::{Clock, TenantId};
use crate::table::Table;

pub use self::clock::SavedClock;
pub use self::definition::table_definition;
pub use self::directory::PutEntryOutcome;
pub use self::idempotency::{IdempotencyRequest, PriorCreation, SubmitOutcome};
pub use self::images::{
    Commit, CreateOutcome, DeleteOutcome, ImageFetch, ListedImage, MemberUpdate, UpdateOutcome,
};
pub use self::jobs::OpenWorkItem;
pub use self::key_grants::KeyGrantRecord;
pub use self::keys::{
    Cursor, List, ListQuery, LookupKey, OPEN_SHARDS, Position, TTL, WorkItemKey, is_sender_write,
    name_prefix, opens_work_item, sortable_time,
};
pub use self::lists::{CursorPage, MAX_SKIPPED_ENTRIES, Order};
pub use self::memberships::Recipients;
pub use self::meter::{Meter, Usage};
pub(crate) use self::pending_scan::{PendingScan, ScanStep};
pub use self::queues::{EnqueueOutcome, QueueTenant};
pub(crate) use self::snapshot::{Pair, Snapshot};
pub use self::table_calls::StoreError;
pub use self::vaults::{DeleteVaultOutcome, VaultRecord};

/// The table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    table: Arc<dyn Table>,
    meter: Meter,
    dirty: DirtyFlag,
    deadline: Option<Instant>,
    clock: Clock,
    inbox_cache: InboxCache,
    sender_cache: SenderCache,
}

impl Store {
    /// What is kept in that table, of a process with that clock.
    pub fn new(table: impl Table + 'static, clock: Clock) -> Self {
        let (inbox_cache, sender_cache) = (InboxCache::default(), SenderCache::default());
        let (meter, dirty) = (Meter::default(), DirtyFlag::default());
        Self { table: Arc::new(table), meter, dirty, deadline: None, clock, inbox_cache, sender_cache }
    }

    /// The process's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The same table for one request: what is used of it from now on is counted apart, and so is what may have been
    /// changed ([`StoreError::InDoubt`]).
    #[must_use]
    pub fn metered(&self) -> Self {
        Self { meter: Meter::default(), ..self.untracked() }
    }

    /// The same table, for writes that are no part of what the request asks for: where one is in doubt, the request is not.
    fn untracked(&self) -> Self {
        Self { dirty: DirtyFlag::default(), ..self.clone() }
    }

    /// The same table, whose calls are tried until that moment and no longer. Without one, each has its eight seconds.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// The same table, whose calls are tried for so long, and not beyond the moment that was set before.
    #[must_use]
    pub fn with_timeout(&self, time: Duration) -> Self {
        let end = Instant::now() + time;
        self.with_deadline(self.deadline.map_or(end, |until| until.min(end)))
    }

    /// The same table, whose calls are made on behalf of that tenant: a table that shares its time out between tenants
    /// counts them to its share.
    #[must_use]
    pub fn for_tenant(&self, tenant: &TenantId) -> Self {
        match self.table.for_tenant(tenant) {
            Some(table) => Self { table, ..self.clone() },
            None => self.clone(),
        }
    }

    /// What was used of the table through this store and its clones.
    pub fn usage(&self) -> Usage {
        self.meter.usage()
    }

    /// Asks the table for something that is not there: opens the connection, and shows that the table answers.
    ///
    /// # Errors
    /// [`StoreError`] where it does not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.read_one(keys::probe()).await.map(|_| ())
    }
}
