//! The handle to the table that all reads and commits go through.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::inbox_cache::InboxCache;
use super::meter::{DirtyFlag, Meter, Usage};
use super::sender_cache::SenderCache;
use crate::domain::{Clock, TenantId};
use crate::table::Table;

/// The table. Cheap to clone.
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
    /// changed ([`StoreError::InDoubt`](super::StoreError::InDoubt)).
    #[must_use]
    pub fn metered(&self) -> Self {
        Self { meter: Meter::default(), ..self.untracked() }
    }

    /// The same table, for writes that are no part of what the request asks for: where one is in doubt, the request is not.
    pub(super) fn untracked(&self) -> Self {
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
}
