//! The table: one DynamoDB table with three indexes, and everything that is asked of it.
//!
//! Every change is a conditional write whose condition says what must still be true. A write that DynamoDB cannot
//! make just now (a throttled partition, another transaction on the same item) is tried again here with jitter; a
//! condition that does not hold is an answer, and goes to the caller.

mod access_keys;
mod call;
mod clock;
mod decided;
mod definition;
mod directory;
mod filings;
mod images;
mod inboxes;
mod item;
mod jobs;
mod key_grants;
mod keys;
mod lists;
mod memberships;
mod meter;
mod nonces;
mod patience;
mod queues;
mod requests;
mod revocations;
mod senders;
mod snapshot;
mod vaults;
mod walks;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::inboxes::Inboxes;
use self::meter::Changes;
use self::senders::Senders;
use crate::domain::{Clock, TenantId};
use crate::table::Table;

pub use self::call::StoreError;
pub use self::clock::KeptTime;
pub use self::definition::definition;
pub use self::directory::Listed;
pub use self::images::{Created, Deleted, ListedImage, MembersThen, UpdatedImage, Wanted, Written};
pub use self::jobs::OpenPiece;
pub use self::key_grants::Granted;
pub use self::keys::{
    Filing, List, OPEN_SHARDS, PieceKey, Place, Position, Run, TTL, moment, opens_a_piece,
    remembers_a_sender, short,
};
pub use self::lists::{MAX_READ_PAST, Order, Places};
pub use self::memberships::Recipients;
pub use self::meter::{Meter, Usage};
pub use self::queues::{QueueOf, Queued};
pub use self::requests::{Earlier, Remembered, Submitted};
pub(crate) use self::snapshot::{Pair, Snapshot};
pub use self::vaults::{OwnVault, VaultDeleted};
pub(crate) use self::walks::{Stride, Walk};

/// The table. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    table: Arc<dyn Table>,
    meter: Meter,
    changes: Changes,
    until: Option<Instant>,
    clock: Clock,
    inboxes: Inboxes,
    senders: Senders,
}

impl Store {
    /// What is kept in that table, of a process with that clock.
    pub fn new(table: impl Table + 'static, clock: Clock) -> Self {
        let (inboxes, senders) = (Inboxes::default(), Senders::default());
        let (meter, changes) = (Meter::default(), Changes::default());
        Self { table: Arc::new(table), meter, changes, until: None, clock, inboxes, senders }
    }

    /// The process's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The same table for one request: what is used of it from now on is counted apart, and so is what may have been
    /// changed ([`StoreError::InDoubt`]).
    #[must_use]
    pub fn metered(&self) -> Self {
        Self { meter: Meter::default(), ..self.aside() }
    }

    /// The same table, for writes that are no part of what the request asks for: where one is in doubt, the request is not.
    fn aside(&self) -> Self {
        Self { changes: Changes::default(), ..self.clone() }
    }

    /// The same table, whose calls are tried until that moment and no longer. Without one, each has its eight seconds.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        Self { until: Some(deadline), ..self.clone() }
    }

    /// The same table, whose calls are tried for so long, and not beyond the moment that was set before.
    #[must_use]
    pub fn within(&self, time: Duration) -> Self {
        let end = Instant::now() + time;
        self.until(self.until.map_or(end, |until| until.min(end)))
    }

    /// The same table, whose calls are made on behalf of that tenant: a table that shares its time out between tenants
    /// counts them to its share.
    #[must_use]
    pub fn on_behalf_of(&self, tenant: &TenantId) -> Self {
        match self.table.on_behalf_of(tenant) {
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
