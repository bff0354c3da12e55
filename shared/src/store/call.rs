//! The calls to the table: counted, tried again where that helps, and their failures sorted.

use super::Store;
use super::item::Item;
use super::keys::Key;
use super::meter::Capacity;
use super::patience::Patience;
use crate::table::{
    Action, Answer, Attributes, BatchRead, CONDITION_FAILED, Failure, Page, Query, Reason, StorageFault,
    Token, Write, Written,
};

/// Why the table did not answer as it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// DynamoDB could not be reached, or was too busy for too long, and the request has changed nothing. Nothing is known to
    /// be wrong with it.
    #[error("the table is not available: {0}")]
    Unavailable(String),
    /// As [`Self::Unavailable`], but the request may have changed something: a write was sent and not answered, or an
    /// earlier one was made.
    #[error("the table is not available, and what was asked may have been done: {0}")]
    InDoubt(String),
    /// The table's storage does not do what it must.
    #[error("{fault}: {detail}")]
    Storage {
        /// What is wrong with it.
        fault: StorageFault,
        /// What the storage says.
        detail: String,
    },
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

impl StoreError {
    /// Whether the same call may succeed a little later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::InDoubt(_))
    }
}

/// Of a write that has no condition.
impl From<NotWritten> for StoreError {
    fn from(problem: NotWritten) -> Self {
        match problem {
            NotWritten::Store(error) => error,
            NotWritten::Conditions(_) => Self::Refused("a condition that was not set".into()),
        }
    }
}

impl From<StoreError> for NotWritten {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

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

    /// Writes all of the items or none, in a transaction: once, however often it has to be asked for.
    pub(super) async fn transact(&self, writes: &[Write]) -> Result<(), NotWritten> {
        let token = Token::fresh();
        self.persist(|| self.table.transact_write_items(writes, token)).await.map(drop)
    }

    /// Makes one write without a transaction, which may happen twice where the answer to the first attempt is lost.
    /// Returns what an update has changed.
    pub(super) async fn update(&self, write: &Write) -> Result<Item, NotWritten> {
        Ok(self.persist(|| self.table.write_item(write)).await?.updated)
    }

    /// Calls until the writes are made, or until there is a reason why they cannot be.
    async fn persist<'a>(&self, call: impl Fn() -> Answer<'a, Written>) -> Result<Written, NotWritten> {
        let written = self.call(Capacity::Write, call).await?;
        self.changes.note();
        self.meter.count(Capacity::Write, written.units);
        Ok(written)
    }

    /// Calls until there is an answer.
    async fn ask<'a, T>(&self, call: impl Fn() -> Answer<'a, T>) -> Result<T, StoreError> {
        self.call(Capacity::Read, call).await.map_err(|problem| match problem {
            NotWritten::Store(error) => error,
            NotWritten::Conditions(reasons) => StoreError::Refused(reasons.iter().map(describe).collect()),
        })
    }

    async fn call<'a, T>(
        &self,
        capacity: Capacity,
        call: impl Fn() -> Answer<'a, T>,
    ) -> Result<T, NotWritten> {
        let mut patience = Patience::new(self.until);
        loop {
            self.meter.count_round_trip();
            let failure = match patience.attempt(call()).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            if matches!(capacity, Capacity::Write) && failure.may_have_been_done() {
                self.changes.note();
            }
            let reason = passing(failure).map_err(|problem| self.with_doubt(problem))?;
            patience.pause(reason).await.map_err(|problem| self.with_doubt(problem.into()))?;
        }
    }

    /// The same problem, or what is known of it after a write that was made or may have been made.
    fn with_doubt(&self, problem: NotWritten) -> NotWritten {
        match problem {
            NotWritten::Store(StoreError::Unavailable(text)) if self.changes.are_possible() => {
                StoreError::InDoubt(text).into()
            }
            other => other,
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
        let mut patience = Patience::new(self.until);
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(KEYS_PER_READ));
            let read = BatchRead { keys: left, consistent, attributes };
            let found = self.ask(|| self.table.batch_get_item(&read)).await?;
            self.meter.count(Capacity::Read, found.units);
            items.extend(found.items);
            left = found.unread;
            if !left.is_empty() {
                let pause = patience.pause("reads are being throttled".to_owned()).await;
                pause.map_err(|problem| self.with_doubt(problem.into()))?;
            }
            left.extend(rest);
        }
        Ok(items)
    }

    /// Reads one item by key, strongly consistent.
    pub(super) async fn read_one(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let found = self.ask(|| self.table.get_item(&key)).await?;
        self.meter.count(Capacity::Read, found.units);
        Ok(found.items.into_iter().next())
    }

    /// Reads a page of a query.
    pub(super) async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let page = self.ask(|| self.table.query(query)).await?;
        self.meter.count(Capacity::Read, page.units);
        Ok(page)
    }
}

/// Whether it was this write's condition that did not hold.
pub(super) fn is_condition(reason: &Reason) -> bool {
    reason.code.as_deref() == Some(CONDITION_FAILED)
}

/// What stood in a call's way, where that passes by itself; else the reason for which it will not be made.
fn passing(failure: Failure) -> Result<String, NotWritten> {
    Err(match failure {
        Failure::NotSent(text) | Failure::NoAnswer(text) => return Ok(text),
        Failure::Closed(text) => StoreError::Unavailable(text).into(),
        Failure::Storage(fault, detail) => StoreError::Storage { fault, detail }.into(),
        Failure::Canceled(reasons) if reasons.iter().any(is_condition) => NotWritten::Conditions(reasons),
        Failure::Canceled(reasons) => {
            let given = || reasons.iter().filter(|reason| reason.code.is_some());
            match given().find(|reason| !is_passing(reason.code.as_deref().unwrap_or_default())) {
                Some(bad) => StoreError::Refused(describe(bad)).into(),
                None => return Ok(given().next().map_or_else(String::new, describe)),
            }
        }
        Failure::Service { code, message } => {
            let text = format!("{code}: {message}");
            match code.as_str() {
                code if is_passing(code) => return Ok(text),
                _ => StoreError::Refused(text).into(),
            }
        }
    })
}

/// Whether it is the code of what passes by itself: a table that is asked too much of, another transaction on the same item.
fn is_passing(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceeded"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "ServiceUnavailable"
            | "ThrottlingError"
            | "ThrottlingException"
            | "TransactionConflict"
            | "TransactionConflictException"
            | "TransactionInProgressException"
    )
}

fn describe(reason: &Reason) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}: {}", text(&reason.code), text(&reason.message))
}
