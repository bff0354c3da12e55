//! The handle to the table that all reads and commits go through.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::inbox_cache::InboxCache;
use super::meter::{DirtyFlag, Meter, Usage};
use super::sender_cache::SenderCache;
use crate::domain::{Clock, TenantId};
use crate::table::Table;

/// A handle to the table, with the process's clock and caches. Cheap to clone: clones share all of them.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) table: Arc<dyn Table>,
    pub(super) meter: Meter,
    pub(super) dirty: DirtyFlag,
    pub(super) deadline: Option<Instant>,
    pub(super) clock: Clock,
    pub(super) inbox_cache: InboxCache,
    pub(super) sender_cache: SenderCache,
}

impl Store {
    /// Creates a store on a table. Stamps and times come from `clock`; the caches start empty.
    pub fn new(table: impl Table + 'static, clock: Clock) -> Self {
        let (inbox_cache, sender_cache) = (InboxCache::default(), SenderCache::default());
        let (meter, dirty) = (Meter::default(), DirtyFlag::default());
        Self { table: Arc::new(table), meter, dirty, deadline: None, clock, inbox_cache, sender_cache }
    }

    /// Returns the process's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Returns the store of one request: it has its own [`Usage`], and its own record of whether a write may have been
    /// made, on which [`StoreError::InDoubt`](super::StoreError::InDoubt) depends.
    #[must_use]
    pub fn metered(&self) -> Self {
        Self { meter: Meter::default(), ..self.untracked() }
    }

    /// Returns a store for writes beside the request's own, such as senders and stamps: if one of them is in doubt, the
    /// request is not.
    pub(super) fn untracked(&self) -> Self {
        Self { dirty: DirtyFlag::default(), ..self.clone() }
    }

    /// Returns a store whose calls are retried until `deadline`. Without a deadline, each call is retried for 8
    /// seconds.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self.clone() }
    }

    /// Returns a store whose calls are retried for `timeout`, or until its present deadline if that is earlier.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let end = Instant::now() + timeout;
        self.with_deadline(self.deadline.map_or(end, |deadline| deadline.min(end)))
    }

    /// Returns a store whose calls count to a tenant's share of the table, if the table schedules its calls by tenant
    /// (the one of a single machine does).
    #[must_use]
    pub fn for_tenant(&self, tenant: &TenantId) -> Self {
        match self.table.for_tenant(tenant) {
            Some(table) => Self { table, ..self.clone() },
            None => self.clone(),
        }
    }

    /// Returns what was used of the table through this store and its clones.
    pub fn usage(&self) -> Usage {
        self.meter.usage()
    }
}
