//! The calls to DynamoDB: counted, tried again where that helps, and their failures sorted.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    CancellationReason, KeysAndAttributes, Put, ReturnConsumedCapacity, TransactWriteItem,
};

use super::Store;
use super::item::Item;
use super::keys::Key;
use super::meter::Capacity;

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

/// Why a transaction wrote nothing.
#[derive(Debug)]
pub(super) enum NotWritten {
    /// A condition did not hold. One entry for each item of the transaction, in order.
    Conditions(Vec<Reason>),
    /// The table failed.
    Store(StoreError),
}

/// What one item of a transaction that wrote nothing had to say.
#[derive(Debug, Default)]
pub(super) struct Reason {
    /// Whether this item's condition did not hold.
    pub(super) failed: bool,
    /// The item as it stands in the table, where the condition did not hold and there is one.
    pub(super) found: Option<Item>,
}

impl From<StoreError> for NotWritten {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// How often a write that met another one is tried.
const ATTEMPTS: u32 = 8;

/// The most keys of one batch read.
const KEYS_PER_READ: usize = 100;

impl Store {
    /// Writes all of the items or none; one alone without a transaction, for half the units.
    ///
    /// A put alone may find its condition broken by its own first attempt, whose answer was lost: unlike a transaction
    /// it carries no token. Who puts has to recognise what it wrote.
    pub(super) async fn write(&self, items: Vec<TransactWriteItem>) -> Result<(), NotWritten> {
        match items.as_slice() {
            [TransactWriteItem { put: Some(put), .. }] => self.put_alone(put).await,
            _ => self.transact(items).await,
        }
    }

    async fn put_alone(&self, put: &Put) -> Result<(), NotWritten> {
        let mut attempt = 0;
        loop {
            self.meter.count_round_trip();
            let sent = self
                .client
                .put_item()
                .table_name(put.table_name())
                .set_item(Some(put.item().clone()))
                .set_condition_expression(put.condition_expression().map(str::to_owned))
                .set_expression_attribute_names(put.expression_attribute_names().cloned())
                .set_expression_attribute_values(put.expression_attribute_values().cloned())
                .set_return_values_on_condition_check_failure(
                    put.return_values_on_condition_check_failure().cloned(),
                )
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            let error = match sent {
                Ok(done) => {
                    self.meter.count(Capacity::Write, done.consumed_capacity());
                    return Ok(());
                }
                Err(error) => error,
            };
            attempt += 1;
            match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    let reason = Reason { failed: true, found: failed.item.clone() };
                    return Err(NotWritten::Conditions(vec![reason]));
                }
                Some(PutItemError::TransactionConflictException(_)) if attempt < ATTEMPTS => {
                    pause(attempt).await;
                }
                _ => return Err(failure(&error).into()),
            }
        }
    }

    /// Writes all of the items or none.
    pub(super) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), NotWritten> {
        let mut attempt = 0;
        loop {
            self.meter.count_round_trip();
            let sent = self
                .client
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await;
            let error = match sent {
                Ok(done) => {
                    self.meter.count(Capacity::Write, done.consumed_capacity());
                    return Ok(());
                }
                Err(error) => error,
            };
            let reasons = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    cancelled.cancellation_reasons()
                }
                Some(TransactWriteItemsError::TransactionInProgressException(_)) => &[],
                _ => return Err(failure(&error).into()),
            };
            if reasons.iter().any(is_condition) {
                return Err(NotWritten::Conditions(reasons.iter().map(Reason::from).collect()));
            }
            if let Some(bad) = reasons.iter().find(|reason| !is_passing(reason)) {
                return Err(StoreError::Refused(describe(bad)).into());
            }
            attempt += 1;
            if attempt == ATTEMPTS {
                let why = reasons.iter().find(|reason| !is_none(reason)).map(describe);
                return Err(StoreError::Unavailable(
                    why.unwrap_or_else(|| "a transaction in progress".into()),
                )
                .into());
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
                self.read_as(keys, None).await
            }
        }
    }

    /// Reads those attributes of items by key, for half the units, as they were a moment ago: for what the index told,
    /// which is no newer.
    pub(super) async fn read_eventually(
        &self,
        keys: Vec<Key>,
        attributes: &[&str],
    ) -> Result<Vec<Item>, StoreError> {
        self.read_as(keys, Some(attributes)).await
    }

    /// Reads all attributes of items as they are, or some as they were a moment ago.
    async fn read_as(&self, keys: Vec<Key>, some: Option<&[&str]>) -> Result<Vec<Item>, StoreError> {
        // Names may be DynamoDB's own words, such as `owner`.
        let names = some.map(|names| {
            (0..).map(|place: u8| format!("#{place}")).zip(names.iter().map(|n| (*n).to_owned()))
        });
        let names: Option<HashMap<String, String>> = names.map(Iterator::collect);
        let projection =
            names.as_ref().map(|names| names.keys().map(String::as_str).collect::<Vec<_>>().join(","));
        let mut found = Vec::with_capacity(keys.len());
        let mut left = keys;
        let mut attempt = 0;
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(KEYS_PER_READ));
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(left))
                .consistent_read(some.is_none())
                .set_projection_expression(projection.clone())
                .set_expression_attribute_names(names.clone())
                .build();
            let wanted = wanted.map_err(|error| StoreError::Refused(error.to_string()))?;
            self.meter.count_round_trip();
            let answer = self
                .client
                .batch_get_item()
                .request_items(&self.table, wanted)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failure(&error))?;
            self.meter.count(Capacity::Read, answer.consumed_capacity());
            found.extend(answer.responses.into_iter().flatten().flat_map(|(_, items)| items));
            let unread = answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, unread)| unread.keys);
            left = unread.collect();
            if !left.is_empty() {
                attempt += 1;
                if attempt == ATTEMPTS {
                    return Err(StoreError::Unavailable("reads are being throttled".into()));
                }
                pause(attempt).await;
            }
            left.extend(rest);
        }
        Ok(found)
    }

    /// Reads one item by key, strongly consistent.
    pub(super) async fn read_one(&self, key: Key) -> Result<Option<Item>, StoreError> {
        self.meter.count_round_trip();
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .send()
            .await
            .map_err(|error| failure(&error))?;
        self.meter.count(Capacity::Read, answer.consumed_capacity());
        Ok(answer.item)
    }
}

fn is_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

fn is_none(reason: &CancellationReason) -> bool {
    matches!(reason.code(), None | Some("None"))
}

fn is_passing(reason: &CancellationReason) -> bool {
    is_none(reason)
        || matches!(
            reason.code(),
            Some("TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
        )
}

fn describe(reason: &CancellationReason) -> String {
    format!("{}: {}", reason.code().unwrap_or_default(), reason.message().unwrap_or_default())
}

impl From<&CancellationReason> for Reason {
    fn from(reason: &CancellationReason) -> Self {
        Self { failed: is_condition(reason), found: reason.item().cloned() }
    }
}

/// Sorts a failed call; the SDK has tried it again by then, where that can help.
pub(super) fn failure<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> StoreError {
    match error.as_service_error() {
        None => StoreError::Unavailable(error.to_string()),
        Some(service) => {
            let code = service.code().unwrap_or("unknown");
            let text = format!("{code}: {}", service.message().unwrap_or_default());
            match code {
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
