//! The calls to the table: counted, tried again where that helps, and their failures sorted.

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item::Item;
use super::keys::{self, Key};
use super::meter::Capacity;
use super::retry_budget::RetryBudget;
use crate::table::{
    Action, BatchRead, CONDITION_FAILED, CancelReason, Page, Projection, Query, TableError, TableFuture,
    TransactionToken, Write, WriteOutput,
};

/// What came of a write under conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// It is written.
    Committed,
    /// A condition did not hold any more, and nothing is written.
    Conflict,
}

/// The most keys of one batch read.
const MAX_BATCH_KEYS: usize = 100;

impl Store {
    /// Asks the table for something that is not there: opens the connection, and shows that the table answers.
    ///
    /// # Errors
    /// [`StoreError`] where it does not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.read_one(keys::probe()).await.map(|_| ())
    }

    /// Writes all of the items or none; a put alone without a transaction, for half the units.
    ///
    /// A put alone may find its condition broken by its own first attempt, whose answer was lost: unlike a transaction
    /// it carries no token. Who puts has to recognise what it wrote.
    pub(super) async fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        match writes {
            [put @ Write { action: Action::Put(_), .. }] => self.update(put).await.map(drop),
            _ => self.transact(writes).await,
        }
    }

    /// Writes all of the items, or none where a condition does not hold; a put alone without a transaction, for half the units.
    pub(super) async fn commit(&self, writes: &[Write]) -> Result<Commit, StoreError> {
        match self.write(writes).await {
            Ok(()) => Ok(Commit::Committed),
            Err(WriteError::ConditionFailed(_)) => Ok(Commit::Conflict),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Writes all of the items or none, in a transaction: once, however often it has to be asked for.
    pub(super) async fn transact(&self, writes: &[Write]) -> Result<(), WriteError> {
        let token = TransactionToken::random();
        self.write_with_retry(|| self.table.transact_write_items(writes, token)).await.map(drop)
    }

    /// Makes one write without a transaction, which may happen twice where the answer to the first attempt is lost.
    /// Returns what an update has changed.
    pub(super) async fn update(&self, write: &Write) -> Result<Item, WriteError> {
        Ok(self.write_with_retry(|| self.table.write_item(write)).await?.updated)
    }

    /// Calls until the writes are made, or until there is a reason why they cannot be.
    async fn write_with_retry<'a>(
        &self,
        call: impl Fn() -> TableFuture<'a, WriteOutput>,
    ) -> Result<WriteOutput, WriteError> {
        let output = self.call_with_retry(Capacity::Write, call).await?;
        self.dirty.mark();
        self.meter.count(Capacity::Write, output.units);
        Ok(output)
    }

    /// Calls until there is an answer.
    async fn read_with_retry<'a, T>(&self, call: impl Fn() -> TableFuture<'a, T>) -> Result<T, StoreError> {
        self.call_with_retry(Capacity::Read, call).await.map_err(|problem| match problem {
            WriteError::Store(error) => error,
            WriteError::ConditionFailed(reasons) => {
                StoreError::Refused(reasons.iter().map(describe).collect())
            }
        })
    }

    async fn call_with_retry<'a, T>(
        &self,
        capacity: Capacity,
        call: impl Fn() -> TableFuture<'a, T>,
    ) -> Result<T, WriteError> {
        let mut budget = RetryBudget::new(self.deadline);
        loop {
            self.meter.count_round_trip();
            let failure = match budget.attempt(call()).await {
                Ok(output) => return Ok(output),
                Err(failure) => failure,
            };
            if matches!(capacity, Capacity::Write) && failure.may_have_been_applied() {
                self.dirty.mark();
            }
            let retry_reason = transient_reason(failure).map_err(|problem| self.mark_in_doubt(problem))?;
            budget.back_off(retry_reason).await.map_err(|problem| self.mark_in_doubt(problem.into()))?;
        }
    }

    /// The same problem, or what is known of it after a write that was made or may have been made.
    fn mark_in_doubt(&self, problem: WriteError) -> WriteError {
        match problem {
            WriteError::Store(StoreError::Unavailable(text)) if self.dirty.is_set() => {
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
                self.read_batches(keys, true, Projection::All).await
            }
        }
    }

    /// Reads those attributes of items by key, for half the units, as they were a moment ago: for what the index told,
    /// which is no newer.
    pub(super) async fn read_eventually(
        &self,
        keys: Vec<Key>,
        projection: Projection,
    ) -> Result<Vec<Item>, StoreError> {
        self.read_batches(keys, false, projection).await
    }

    async fn read_batches(
        &self,
        keys: Vec<Key>,
        consistent: bool,
        projection: Projection,
    ) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::with_capacity(keys.len());
        let mut remaining = keys;
        let mut budget = RetryBudget::new(self.deadline);
        while !remaining.is_empty() {
            let rest = remaining.split_off(remaining.len().min(MAX_BATCH_KEYS));
            let read = BatchRead { keys: remaining, consistent, projection };
            let found = self.read_with_retry(|| self.table.batch_get_item(&read)).await?;
            self.meter.count(Capacity::Read, found.units);
            items.extend(found.items);
            remaining = found.unprocessed;
            if !remaining.is_empty() {
                let pause = budget.back_off("reads are being throttled".to_owned()).await;
                pause.map_err(|problem| self.mark_in_doubt(problem.into()))?;
            }
            remaining.extend(rest);
        }
        Ok(items)
    }

    /// Reads one item by key, strongly consistent.
    pub(super) async fn read_one(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let found = self.read_with_retry(|| self.table.get_item(&key)).await?;
        self.meter.count(Capacity::Read, found.units);
        Ok(found.items.into_iter().next())
    }

    /// Reads a page of a query.
    pub(super) async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let page = self.read_with_retry(|| self.table.query(query)).await?;
        self.meter.count(Capacity::Read, page.units);
        Ok(page)
    }
}

/// Whether it was this write's condition that did not hold.
pub(super) fn is_condition_failure(reason: &CancelReason) -> bool {
    reason.code.as_deref() == Some(CONDITION_FAILED)
}

/// What stood in a call's way, where that passes by itself; else the reason for which it will not be made.
fn transient_reason(failure: TableError) -> Result<String, WriteError> {
    Err(match failure {
        TableError::NotSent(text) | TableError::NoResponse(text) => return Ok(text),
        TableError::Closed(text) => StoreError::Unavailable(text).into(),
        TableError::Storage(fault, detail) => StoreError::Storage { fault, detail }.into(),
        TableError::Canceled(reasons) if reasons.iter().any(is_condition_failure) => {
            WriteError::ConditionFailed(reasons)
        }
        TableError::Canceled(reasons) => {
            let with_code = || reasons.iter().filter(|reason| reason.code.is_some());
            match with_code().find(|reason| !is_transient_code(reason.code.as_deref().unwrap_or_default())) {
                Some(bad) => StoreError::Refused(describe(bad)).into(),
                None => return Ok(with_code().next().map_or_else(String::new, describe)),
            }
        }
        TableError::Service { code, message } => {
            let text = format!("{code}: {message}");
            match code.as_str() {
                code if is_transient_code(code) => return Ok(text),
                _ => StoreError::Refused(text).into(),
            }
        }
    })
}

/// Whether it is the code of what passes by itself: a table that is asked too much of, another transaction on the same item.
fn is_transient_code(code: &str) -> bool {
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

fn describe(reason: &CancelReason) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}: {}", text(&reason.code), text(&reason.message))
}
