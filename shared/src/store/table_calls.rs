//! The calls to the table. Each is counted, and retried until its deadline if its failure is transient.

use futures_util::{StreamExt, TryStreamExt, stream};

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

/// The outcome of a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// Everything is written.
    Committed,
    /// A condition did not hold, and nothing is written.
    Conflict,
}

/// DynamoDB's limit of keys in one batch read.
const MAX_BATCH_KEYS: usize = 100;

/// The most batch reads of one call that run concurrently.
const MAX_CONCURRENT_BATCHES: usize = 10;

impl Store {
    /// Reads an item that does not exist, which opens the connection and shows that the table responds. One read.
    ///
    /// # Errors
    /// [`StoreError`] if it does not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.read_one(keys::probe()).await.map(|_| ())
    }

    /// Makes all of the writes or none. A single put needs no transaction, and takes half the units.
    ///
    /// Unlike a transaction, a put has no token. If the response to its first attempt is lost, the retry may find its
    /// condition violated by that attempt, so the caller has to recognise its own item.
    pub(super) async fn write(&self, writes: &[Write]) -> Result<(), WriteError> {
        match writes {
            [put @ Write { action: Action::Put(_), .. }] => self.update(put).await.map(drop),
            _ => self.transact(writes).await,
        }
    }

    /// Makes all of the writes, or none if a condition does not hold, as [`Self::write`] does.
    pub(super) async fn commit(&self, writes: &[Write]) -> Result<Commit, StoreError> {
        match self.write(writes).await {
            Ok(()) => Ok(Commit::Committed),
            Err(WriteError::ConditionFailed(_)) => Ok(Commit::Conflict),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Makes all of the writes or none, in a transaction. Its token makes it idempotent, however often it is retried.
    pub(super) async fn transact(&self, writes: &[Write]) -> Result<(), WriteError> {
        let token = TransactionToken::random();
        self.write_with_retry(|| self.table.transact_write_items(writes, token)).await.map(drop)
    }

    /// Makes one write without a transaction. It may be made twice, if the response to the first attempt is lost.
    /// Returns the attributes that an update has set.
    pub(super) async fn update(&self, write: &Write) -> Result<Item, WriteError> {
        Ok(self.write_with_retry(|| self.table.write_item(write)).await?.updated)
    }

    /// Retries a write until it is made, fails for good or reaches the deadline.
    async fn write_with_retry<'a>(
        &self,
        call: impl Fn() -> TableFuture<'a, WriteOutput>,
    ) -> Result<WriteOutput, WriteError> {
        let output = self.call_with_retry(Capacity::Write, call).await?;
        self.dirty.mark();
        self.meter.count(Capacity::Write, output.units);
        Ok(output)
    }

    /// Retries a read until it succeeds, fails for good or reaches the deadline.
    async fn read_with_retry<'a, T>(&self, call: impl Fn() -> TableFuture<'a, T>) -> Result<T, StoreError> {
        self.call_with_retry(Capacity::Read, call).await.map_err(|error| match error {
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

    /// Turns [`StoreError::Unavailable`] into [`StoreError::InDoubt`] if the request has made a write, or may have.
    fn mark_in_doubt(&self, problem: WriteError) -> WriteError {
        match problem {
            WriteError::Store(StoreError::Unavailable(text)) if self.dirty.is_set() => {
                StoreError::InDoubt(text).into()
            }
            other => other,
        }
    }

    /// Reads items by key, strongly consistent, so that a caller sees its own writes. Returns those that exist, in no
    /// order. One read for one key, otherwise one batch read for every 100.
    pub(super) async fn read(&self, mut keys: Vec<Key>) -> Result<Vec<Item>, StoreError> {
        match keys.pop() {
            Some(key) if keys.is_empty() => Ok(self.read_one(key).await?.into_iter().collect()),
            last => {
                keys.extend(last);
                self.read_batches(keys, true, Projection::All).await
            }
        }
    }

    /// Reads items as [`Self::read`] does, some batches at a time.
    pub(super) async fn read_concurrently(&self, keys: &[Key]) -> Result<Vec<Item>, StoreError> {
        let batches: Vec<_> = keys.chunks(MAX_BATCH_KEYS).map(|batch| self.read(batch.to_vec())).collect();
        let items: Vec<_> =
            stream::iter(batches).buffer_unordered(MAX_CONCURRENT_BATCHES).try_collect().await?;
        Ok(items.into_iter().flatten().collect())
    }

    /// Reads attributes of items by key, eventually consistent, for half the units: good enough for keys that come
    /// from an index, which is eventually consistent, too.
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

    /// Reads one item by key, strongly consistent; `None` if it does not exist.
    pub(super) async fn read_one(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let found = self.read_with_retry(|| self.table.get_item(&key)).await?;
        self.meter.count(Capacity::Read, found.units);
        Ok(found.items.into_iter().next())
    }

    /// Reads one page of a query.
    pub(super) async fn query(&self, query: &Query) -> Result<Page, StoreError> {
        let page = self.read_with_retry(|| self.table.query(query)).await?;
        self.meter.count(Capacity::Read, page.units);
        Ok(page)
    }
}

/// Returns whether the condition of this write did not hold.
pub(super) fn is_condition_failure(reason: &CancelReason) -> bool {
    reason.code.as_deref() == Some(CONDITION_FAILED)
}

/// Returns why a call should be retried; an error if a retry does not help.
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

/// Returns whether DynamoDB uses this code for a transient failure: throttling, or another transaction on the same
/// item.
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
