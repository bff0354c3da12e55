//! Deletes the items whose time to live has passed, as DynamoDB does it in the background.
//!
//! The embedded database has a removal of its own, `sweep_ttl`. It begins with a count of the whole table under the lock
//! and makes one transaction, with one flush, for each item. So the removal is made here, of the database's public calls:
//!
//! * A pass scans the table in key order, a page of [`PAGE_SIZE`] items at a time. There is no index of expiries. One would
//!   make each write dearer, by an index entry or by a second item, to save one read of each item per hour. Such a read
//!   takes ten to twenty microseconds: at a million items half a per cent of the time.
//! * The expired items that it finds are deleted [`BATCH_SIZE`] at a time, in one transaction, with one flush. Each is deleted
//!   on condition that its time has still passed, so an item that was renewed after its page was read stays.
//! * Each transaction also writes the place up to which everything is deleted, and so does a stretch of pages without
//!   expired items. A pass that was stopped, by a `kill -9` too, goes on at that place. The place stands in a table of its
//!   own, so that the service's table has the service's items only.
//! * Each call is one turn in the lane of cleanup. It is followed by a rest of [`REST`] times what it took, so a pass takes
//!   a tenth of the database's time at most, however slow the disk is; and half of it while the database is idle.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::actions::transact_write_items::{
    TransactDelete, TransactPut, TransactWriteItem, TransactWriteItemsRequest,
};
use dynoxide::errors::CancellationReason;
use dynoxide::types::AttributeValue;
use dynoxide::{Database, DynoxideError};
use imageshare::domain::Timestamp;
use imageshare::store::TTL;
use imageshare::table::CONDITION_FAILED;
use serde_json::{Value, json};

use super::open_database::OpenDatabase;
use super::scheduler::{CallError, CallScheduler, Lane};
use crate::TABLE;

/// Items that one call reads.
const PAGE_SIZE: usize = 100;

/// Items that one transaction deletes, with one flush. A request waits for one transaction at most.
const BATCH_SIZE: usize = 25;

/// Pages without a deletion after which the place is written, so that a server that is often restarted gets to the end of
/// its table.
const PAGES_PER_CHECKPOINT: usize = 100;

/// How long a pass rests after each call, in times of what the call took.
const PAUSE_FACTOR: u32 = 9;
const IDLE_PAUSE_FACTOR: u32 = 1;

/// The table of the place, its only item, and the attribute that is the place.
const CURSOR_TABLE: &str = "imageshare-cleanup";
const NAME_ATTRIBUTE: &str = "name";

/// What a probe writes: an item has 400 KB at most.
const PROBE_BYTES: usize = 300_000;
const CURSOR_NAME: &str = "expiry";
const CURSOR_ATTRIBUTE: &str = "place";

type Key = HashMap<String, AttributeValue>;

/// What the removal of old data did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CleanupReport {
    /// Items that were deleted.
    pub items: usize,
    /// Transactions that deleted them, each with a flush.
    pub transactions: usize,
    /// Pages of the table that were read to find them.
    pub pages: usize,
    /// Bytes that the database's file is smaller for it.
    pub freed_bytes: u64,
}

/// Why old data was not removed. What was removed before stays so; the next removal goes on there.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// The table is closed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DynoxideError),
    /// The database's file failed.
    #[error("the database's file cannot be made smaller: {0}")]
    File(#[from] rusqlite::Error),
}

/// The definition of the table of the place.
pub(super) fn cursor_table_definition() -> Value {
    json!({
        "TableName": CURSOR_TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": NAME_ATTRIBUTE, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": NAME_ATTRIBUTE, "KeyType": "HASH"}],
    })
}

/// Goes along the whole table, or along the rest of it where the last pass was stopped.
///
/// # Errors
/// [`CleanupError`] where the database does not answer.
pub(super) async fn run_pass(lanes: &CallScheduler<OpenDatabase>) -> Result<CleanupReport, CleanupError> {
    let mut pass = run_paced(lanes, |opened| CleanupPass::resume(&opened.database)).await?;
    loop {
        let step = run_paced(lanes, move |opened| {
            let more = pass.step(&opened.database, Timestamp::now().unix_seconds())?;
            Ok::<_, DynoxideError>((pass, more))
        });
        let more;
        (pass, more) = step.await?;
        if !more {
            return Ok(pass.report);
        }
    }
}

/// Makes a call in the lane of cleanup, and rests.
pub(super) async fn run_paced<T: Send + 'static, E: Send + 'static>(
    lanes: &CallScheduler<OpenDatabase>,
    call: impl FnOnce(&OpenDatabase) -> Result<T, E> + Send + 'static,
) -> Result<T, CleanupError>
where
    CleanupError: From<E>,
{
    let timed = |opened: &OpenDatabase| {
        let begun = Instant::now();
        let answer = call(opened);
        (answer, begun.elapsed())
    };
    let (answer, took) = lanes.run(&lanes.lane_queue(Lane::Cleanup), timed).await?;
    tokio::time::sleep(pause_after(took, lanes.is_idle())).await;
    Ok(answer?)
}

fn pause_after(took: Duration, is_idle: bool) -> Duration {
    took.saturating_mul(if is_idle { IDLE_PAUSE_FACTOR } else { PAUSE_FACTOR })
}

/// A pass along the table, a call at a time.
#[derive(Debug, Default)]
struct CleanupPass {
    /// The key after which the next page begins.
    cursor: Option<Key>,
    is_at_end: bool,
    /// Whether a place is written.
    is_cursor_saved: bool,
    /// The keys of expired items that are to be deleted, in the order of the table.
    expired: VecDeque<Key>,
    pages_since_checkpoint: usize,
    report: CleanupReport,
}

impl CleanupPass {
    /// A pass that goes on where the last one was stopped.
    fn resume(database: &Database) -> Result<Self, DynoxideError> {
        let request = GetItemRequest {
            table_name: CURSOR_TABLE.to_owned(),
            key: cursor_key(),
            ..GetItemRequest::default()
        };
        let item = database.get_item(request)?.item;
        let is_saved = item.is_some();
        let place = item.and_then(|mut item| item.remove(CURSOR_ATTRIBUTE)).and_then(|place| match place {
            AttributeValue::M(key) => Some(key),
            _ => None,
        });
        Ok(Self { cursor: place, is_cursor_saved: is_saved, ..Self::default() })
    }

    /// Makes the next call: reads a page, deletes a batch, or writes the place. Returns whether there is more to do.
    fn step(&mut self, database: &Database, now: i64) -> Result<bool, DynoxideError> {
        let is_batch = self.expired.len() >= BATCH_SIZE || (self.is_at_end && !self.expired.is_empty());
        if is_batch || self.pages_since_checkpoint >= PAGES_PER_CHECKPOINT {
            self.commit(database, now)?;
        } else if !self.is_at_end {
            self.read_page(database, now)?;
        } else {
            if self.is_cursor_saved {
                delete_cursor(database)?;
            }
            return Ok(false);
        }
        Ok(true)
    }

    fn read_page(&mut self, database: &Database, now: i64) -> Result<(), DynoxideError> {
        let page = database.scan(ScanRequest {
            table_name: TABLE.to_owned(),
            filter_expression: Some(EXPIRED_CONDITION.to_owned()),
            projection_expression: Some("pk, sk".to_owned()),
            expression_attribute_names: Some(expression_names()),
            expression_attribute_values: Some(expression_values(now)),
            limit: Some(PAGE_SIZE),
            exclusive_start_key: self.cursor.take(),
            consistent_read: Some(true),
            ..ScanRequest::default()
        })?;
        self.report.pages += 1;
        self.pages_since_checkpoint += 1;
        self.expired.extend(page.items.into_iter().flatten());
        self.cursor = page.last_evaluated_key;
        self.is_at_end = self.cursor.is_none();
        Ok(())
    }

    /// Deletes a batch, and writes the place up to which everything is deleted then.
    fn commit(&mut self, database: &Database, now: i64) -> Result<(), DynoxideError> {
        let batch: Vec<Key> = self.expired.drain(..self.expired.len().min(BATCH_SIZE)).collect();
        let place = if self.expired.is_empty() { self.cursor.as_ref() } else { batch.last() };
        let mut writes: Vec<_> = batch.iter().map(|key| delete_if_expired(key, now)).collect();
        writes.extend(place.map(save_cursor));
        let request =
            TransactWriteItemsRequest { transact_items: writes, ..TransactWriteItemsRequest::default() };
        match database.transact_write_items(request) {
            Ok(_) => {
                self.is_cursor_saved |= place.is_some();
                self.pages_since_checkpoint = 0;
                self.report.items += batch.len();
                self.report.transactions += usize::from(!batch.is_empty());
                Ok(())
            }
            Err(DynoxideError::TransactionCanceledException(message, reasons)) => {
                let before = batch.len();
                let mut expired = still_expired(batch, &reasons);
                if expired.len() == before {
                    return Err(DynoxideError::TransactionCanceledException(message, reasons));
                }
                // Some were renewed after their page was read. The next call deletes the others.
                expired.append(&mut self.expired);
                self.expired = expired;
                Ok(())
            }
            Err(problem) => Err(problem),
        }
    }
}

/// The condition of an item that has expired.
const EXPIRED_CONDITION: &str = "#ttl < :now";

fn expression_names() -> HashMap<String, String> {
    HashMap::from([("#ttl".to_owned(), TTL.to_owned())])
}

fn expression_values(now: i64) -> HashMap<String, AttributeValue> {
    HashMap::from([(":now".to_owned(), AttributeValue::N(now.to_string()))])
}

fn delete_if_expired(key: &Key, now: i64) -> TransactWriteItem {
    let delete = TransactDelete {
        table_name: TABLE.to_owned(),
        key: key.clone(),
        condition_expression: Some(EXPIRED_CONDITION.to_owned()),
        expression_attribute_names: Some(expression_names()),
        expression_attribute_values: Some(expression_values(now)),
        ..TransactDelete::default()
    };
    TransactWriteItem { delete: Some(delete), ..TransactWriteItem::default() }
}

fn save_cursor(place: &Key) -> TransactWriteItem {
    let mut item = cursor_key();
    item.insert(CURSOR_ATTRIBUTE.to_owned(), AttributeValue::M(place.clone()));
    let put = TransactPut { table_name: CURSOR_TABLE.to_owned(), item, ..TransactPut::default() };
    TransactWriteItem { put: Some(put), ..TransactWriteItem::default() }
}

/// Writes about as much as a large request does, and nothing in its place: whether that is possible is what there is to know.
pub(super) fn write_probe(database: &Database) -> Result<(), DynoxideError> {
    for bytes in [PROBE_BYTES, 0] {
        let text = |text: String| AttributeValue::S(text);
        let name = (NAME_ATTRIBUTE.to_owned(), text("probe".to_owned()));
        let item = HashMap::from([name, ("text".to_owned(), text("x".repeat(bytes)))]);
        let request =
            PutItemRequest { table_name: CURSOR_TABLE.to_owned(), item, ..PutItemRequest::default() };
        database.put_item(request)?;
    }
    Ok(())
}

fn delete_cursor(database: &Database) -> Result<(), DynoxideError> {
    let request = DeleteItemRequest {
        table_name: CURSOR_TABLE.to_owned(),
        key: cursor_key(),
        ..DeleteItemRequest::default()
    };
    database.delete_item(request).map(drop)
}

fn cursor_key() -> Key {
    HashMap::from([(NAME_ATTRIBUTE.to_owned(), AttributeValue::S(CURSOR_NAME.to_owned()))])
}

/// Those of a batch whose condition held. There is a reason for each, in order.
fn still_expired(batch: Vec<Key>, reasons: &[CancellationReason]) -> VecDeque<Key> {
    let held = batch.into_iter().zip(reasons).filter(|(_, reason)| reason.code != CONDITION_FAILED);
    held.map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests;
