//! A table that runs an action just before a transaction: after its snapshot was read, before it is committed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imageshare::table::{
    CONDITION_FAILED, Table, TableError, TableFuture, TransactionToken, Write, WriteOutput,
};
use imageshare_local::table::TableLane;

use crate::delegate_to_table;

/// The result of the transaction in the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raced {
    /// It was committed.
    Committed,
    /// It failed with a conflict.
    Conflict,
}

type Meanwhile = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The race of a table. Clones share it.
#[derive(Clone, Default)]
pub struct Race(Arc<Mutex<(Option<Meanwhile>, Option<Raced>)>>);

impl fmt::Debug for Race {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Race").finish_non_exhaustive()
    }
}

impl Race {
    /// Sets the action that runs just before the next transaction.
    pub fn arm(&self, meanwhile: impl Future<Output = ()> + Send + 'static) {
        *self.lock() = (Some(Box::pin(meanwhile)), None);
    }

    /// The result of that transaction; `None` if there was none.
    pub fn result(&self) -> Option<Raced> {
        self.lock().1
    }

    fn lock(&self) -> MutexGuard<'_, (Option<Meanwhile>, Option<Raced>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A table whose transactions can be raced.
#[derive(Debug)]
pub struct RacingTable {
    table: TableLane,
    race: Race,
}

impl RacingTable {
    /// Wraps a table with a race.
    pub fn new(table: TableLane, race: Race) -> Self {
        Self { table, race }
    }
}

impl Table for RacingTable {
    delegate_to_table!(get_item, batch_get_item, query, write_item);

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move {
            let meanwhile = self.race.lock().0.take();
            let Some(meanwhile) = meanwhile else {
                return self.table.transact_write_items(writes, token).await;
            };
            meanwhile.await;
            let output = self.table.transact_write_items(writes, token).await;
            self.race.lock().1 = match &output {
                Ok(_) => Some(Raced::Committed),
                Err(TableError::Canceled(reasons))
                    if reasons.iter().any(|reason| reason.code.as_deref() == Some(CONDITION_FAILED)) =>
                {
                    Some(Raced::Conflict)
                }
                Err(_) => None,
            };
            output
        })
    }
}
