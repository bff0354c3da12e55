//! The calls to the table: counted, tried again where that helps, and their failures sorted.

use std::future::Future;
use std::time::Duration;

use super::Store;
use super::item::Item;
use super::keys::Key;
use super::meter::Capacity;
use crate::table::{
    Action, Answer, Attributes, BatchRead, CONDITION_FAILED, Failure, Page, Query, Reason, Write, Written,
};

/// Why the table did not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB could not be reached, or was too busy for too long. Nothing is known to be wrong with the request.
    #[error("the table is not available: {0}")]
    Unavailable(String),
    /// DynamoDB refused the call itself: a fault of this program or of the deployment.
    #[error("the table refused the call: {0}")]
    Refused(String),
    /// An item is not as this program writes it.
    #[error("the attribute {0} of an item cannot be read")]
    Unreadable(&'static str),
}

/// Why nothing was written.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// A condition did not hold. One reason for each write, in order.
    Conditions(Vec<Reason>),
    /// The table failed.
    Store(StoreError),
}

impl From<StoreError> for NotWritten {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How often a call that met another one, or a busy table, is tried.
const ATTEMPTS: u32 = 8;

/// The most keys of one batch read.
const KEYS_PER_READ: usize = 100;

impl Store {
    /// Writes all of the items or none; a put alone without a transaction, for half the units.
    ///
    /// A put alone may find its condition broken by its own first attempt, whose answer was lost: unlike a transaction
    /// it carries no token. Who puts has to recognise what it wrote.
    pub(super) async fn write(&self, writes: &[Write]) -> Result<(), NotWritten> {
        match writes {
            [put @ Write { action: Action::Put(_), .. }] => self.update(put).await.map(drop),
            _ => self.transact(writes).await,
        }
    }

    /// Writes all of the items or none, in a transaction.
    pub(super) async fn transact(&self, writes: &[Write]) -> Result<(), NotWritten> {
        self.persist(|| self.table.transact_write_items(writes)).await.map(drop)
    }

    /// Makes one write without a transaction, which may happen twice where the answer to the first attempt is lost.
    /// Returns what an update has changed.
    pub(super) async fn update(&self, write: &Write) -> Result<Item, NotWritten> {
        Ok(self.persist(|| self.table.write_item(write)).await?.updated)
    }

    /// Calls until the writes are made, or until there is a reason why they cannot be.
    async fn persist<'a>(&self, call: impl Fn() -> Answer<'a, Written>) -> Result<Written, NotWritten> {
        let mut attempt = 0;
        loop {
            self.meter.count_round_trip();
            let passing = match call().await {
                Ok(written) => {
                    self.meter.count(Capacity::Write, written.units);
                    return Ok(written);
                }
                Err(failure) => passing(failure)?,
            };
            attempt += 1;
            if attempt == ATTEMPTS {
                return Err(StoreError::Unavailable(passing).into());
            }
            pause(attempt).await;
        }
    }

    /// Reads items by key, strongly consistent: a caller sees what it was told has been written. In no order;
    /// missing items are missing.
    pub(super) async fn read(&self, mut keys: Vec<Key>) -> Result<Vec<Item>, StoreError> {
        match keys.pop() {
            Some(key) if keys.is_empty() => Ok(self.read_one(key).await?.into_iter().collect()),
            last => {
                keys.extend(last);
                self.read_batches(keys, true, Attributes::All).await
            }
        }
    }

    /// Reads those attributes of items by key, for half the units, as they were a moment ago: for what the index told,
    /// which is no newer.
    pub(super) async fn read_eventually(
        &self,
        keys: Vec<Key>,
        attributes: Attributes,
    ) -> Result<Vec<Item>, StoreError> {
        self.read_batches(keys, false, attributes).await
    }

    async fn read_batches(
        &self,
        keys: Vec<Key>,
        consistent: bool,
        attributes: Attributes,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::with_capacity(keys.len());
        let mut left = keys;
        let mut attempt = 0;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(KEYS_PER_READ));
            self.meter.count_round_trip();
            let read = BatchRead { keys: left, consistent, attributes };
            let found = self.table.batch_get_item(&read).await.map_err(sorted)?;
            self.meter.count(Capacity::Read, found.units);
            items.extend(found.items);
            left = found.unread;
            if !left.is_empty() {
                attempt += 1;
                if attempt == ATTEMPTS {
                    return Err(StoreError::Unavailable("reads are being throttled".into()));
                }
                pause(attempt).await;
            }
            left.extend(rest);
        }
        Ok(items)
    }

    /// Reads one item by key, strongly consistent.
    pub(super) async fn read_one(&self, key: Key) -> Result<Option<Item>, StoreError> {
        self.meter.count_round_trip();
        let found = self.table.get_item(&key).await.map_err(sorted)?;
        self.meter.count(Capacity::Read, found.units);
        Ok(found.items.into_iter().next())
    }

    /// Reads a page of a query.
    pub(super) async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        self.meter.count_round_trip();
        let page = self.table.query(query).await.map_err(sorted)?;
        self.meter.count(Capacity::Read, page.units);
        Ok(page)
    }
}

/// Whether it was this write's condition that did not hold.
pub(super) fn is_condition(reason: &Reason) -> bool {
    reason.code.as_deref() == Some(CONDITION_FAILED)
}

/// What stood in a write's way, where that passes by itself; else the reason for which it will not be made.
fn passing(failure: Failure) -> Result<String, NotWritten> {
    match failure {
        Failure::Canceled(reasons) if reasons.iter().any(is_condition) => {
            Err(NotWritten::Conditions(reasons))
        }
        Failure::Canceled(reasons) => {
            let given = || reasons.iter().filter(|reason| reason.code.is_some());
            match given().find(|reason| !is_passing(reason)) {
                Some(bad) => Err(StoreError::Refused(describe(bad)).into()),
                None => Ok(given().next().map_or_else(String::new, describe)),
            }
        }
        Failure::Service { code, message }
            if matches!(code.as_str(), "TransactionInProgressException" | "TransactionConflictException") =>
        {
            Ok(format!("{code}: {message}"))
        }
        other => Err(sorted(other).into()),
    }
}

fn is_passing(reason: &Reason) -> bool {
    matches!(
        reason.code.as_deref(),
        Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
    )
}

fn describe(reason: &Reason) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}: {}", text(&reason.code), text(&reason.message))
}

/// Sorts a failure that is no answer; who carried the call has tried it again by then, where that can help.
fn sorted(failure: Failure) -> StoreError {
    match failure {
        Failure::NoAnswer(text) => StoreError::Unavailable(text),
        Failure::Canceled(reasons) => StoreError::Refused(reasons.iter().map(describe).collect()),
        Failure::Service { code, message } => {
            let text = format!("{code}: {message}");
            match code.as_str() {
                "ProvisionedThroughputExceededException"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "InternalServerError"
                | "ServiceUnavailable"
                | "TransactionConflictException" => StoreError::Unavailable(text),
                _ => StoreError::Refused(text),
            }
        }
    }
}

/// Waits before another attempt: up to 10 ms after the first, doubling, at random, so that two who met part.
fn pause(attempt: u32) -> impl Future<Output = ()> {
    let most_micros = 10_000_u64 << attempt.min(6);
    tokio::time::sleep(Duration::from_micros(fastrand::u64(0..most_micros)))
}
