//! Deletes expired items in the background, as DynamoDB's TTL does.
//!
//! The embedded database has such a function, `sweep_ttl`. It counts the whole table under the lock first, and deletes
//! each item in a transaction of its own, with one flush each. So cleanup is implemented here, with the database's
//! public calls:
//!
//! * A pass scans the table in key order, in pages of [`PAGE_SIZE`] items. There is no index of expiry times. It would
//!   make each write more expensive, by an index entry or a second item, to save one read of each item per hour. Such a
//!   read takes 10 to 20 µs: at a million items, 0.5 % of the time.
//! * Expired items are deleted in batches of [`BATCH_SIZE`], each in one transaction with one flush. A delete has the
//!   condition that the item is still expired, so an item that was renewed after its page was read stays.
//! * Each transaction also saves the cursor up to which everything is deleted. So does a run of
//!   [`PAGES_PER_CHECKPOINT`] pages without expired items. A pass that was stopped, even by `kill -9`, resumes there.
//!   The cursor has a table of its own, so that the service's table has only the service's items.
//! * Each call is one turn in the cleanup lane, followed by a pause of [`PAUSE_FACTOR`] times its duration. So a pass
//!   takes at most a tenth of the database's time, however slow the disk is; and half of it while the database is idle.

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

/// Items that one transaction deletes. A request waits for at most one transaction.
const BATCH_SIZE: usize = 25;

/// Pages without a deletion after which the cursor is saved, so that a server that is often restarted still reaches the
/// end of its table.
const PAGES_PER_CHECKPOINT: usize = 100;

/// The pause after each call, as a multiple of the call's duration.
const PAUSE_FACTOR: u32 = 9;
const IDLE_PAUSE_FACTOR: u32 = 1;

/// The table of the cursor, the key of its item, and the attribute that has the cursor.
const CURSOR_TABLE: &str = "imageshare-cleanup";
const NAME_ATTRIBUTE: &str = "name";
const CURSOR_NAME: &str = "expiry";
const CURSOR_ATTRIBUTE: &str = "place";

/// The size of a health check's write. DynamoDB's limit for an item is 400 KB.
const PROBE_BYTES: usize = 300_000;

type Key = HashMap<String, AttributeValue>;

/// The result of a cleanup.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CleanupReport {
    /// Items that were deleted.
    pub items: usize,
    /// Transactions that deleted items, each with one flush.
    pub transactions: usize,
    /// Pages of the table that were read.
    pub pages: usize,
    /// Bytes by which the database's file shrank.
    pub freed_bytes: u64,
}

/// Why a cleanup failed. Deletions before the failure stay, and the next cleanup resumes there.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// The table is closed, or the call panicked.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DynoxideError),
    /// The database's file failed.
    #[error("the database's file cannot be shrunk: {0}")]
    File(#[from] rusqlite::Error),
}

/// The definition of the cursor's table.
pub(super) fn cursor_table_definition() -> Value {
    json!({
        "TableName": CURSOR_TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": NAME_ATTRIBUTE, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": NAME_ATTRIBUTE, "KeyType": "HASH"}],
    })
}

/// Runs a pass over the whole table, or over the rest if the last pass was stopped.
///
/// # Errors
/// [`CleanupError`] if the table is closed or the database fails.
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

/// Makes a call in the cleanup lane, then pauses.
pub(super) async fn run_paced<T: Send + 'static, E: Send + 'static>(
    lanes: &CallScheduler<OpenDatabase>,
    call: impl FnOnce(&OpenDatabase) -> Result<T, E> + Send + 'static,
) -> Result<T, CleanupError>
where
    CleanupError: From<E>,
{
    let timed = |opened: &OpenDatabase| {
        let begun = Instant::now();
        let result = call(opened);
        (result, begun.elapsed())
    };
    let (result, took) = lanes.run(&lanes.lane_queue(Lane::Cleanup), timed).await?;
    tokio::time::sleep(pause_after(took, lanes.is_idle())).await;
    Ok(result?)
}

fn pause_after(took: Duration, is_idle: bool) -> Duration {
    took.saturating_mul(if is_idle { IDLE_PAUSE_FACTOR } else { PAUSE_FACTOR })
}

/// A pass over the table, one call at a time.
#[derive(Debug, Default)]
struct CleanupPass {
    /// The key after which the next page begins.
    cursor: Option<Key>,
    is_at_end: bool,
    /// Whether a cursor is saved in the database.
    is_cursor_saved: bool,
    /// Keys of expired items that are not deleted yet, in the order of the table.
    expired: VecDeque<Key>,
    pages_since_checkpoint: usize,
    report: CleanupReport,
}

impl CleanupPass {
    /// Starts a pass at the saved cursor; without one, at the beginning of the table.
    fn resume(database: &Database) -> Result<Self, DynoxideError> {
        let request = GetItemRequest {
            table_name: CURSOR_TABLE.to_owned(),
            key: cursor_key(),
            ..GetItemRequest::default()
        };
        let item = database.get_item(request)?.item;
        let is_saved = item.is_some();
        let cursor = item.and_then(|mut item| item.remove(CURSOR_ATTRIBUTE)).and_then(|value| match value {
            AttributeValue::M(key) => Some(key),
            _ => None,
        });
        Ok(Self { cursor, is_cursor_saved: is_saved, ..Self::default() })
    }

    /// Makes the next call: reads a page, deletes a batch, or saves the cursor. Returns whether there is more to do.
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

    /// Deletes a batch, and saves the cursor up to which everything is then deleted. One transaction.
    fn commit(&mut self, database: &Database, now: i64) -> Result<(), DynoxideError> {
        let batch: Vec<Key> = self.expired.drain(..self.expired.len().min(BATCH_SIZE)).collect();
        let cursor = if self.expired.is_empty() { self.cursor.as_ref() } else { batch.last() };
        let mut writes: Vec<_> = batch.iter().map(|key| delete_if_expired(key, now)).collect();
        writes.extend(cursor.map(save_cursor));
        let request =
            TransactWriteItemsRequest { transact_items: writes, ..TransactWriteItemsRequest::default() };
        match database.transact_write_items(request) {
            Ok(_) => {
                self.is_cursor_saved |= cursor.is_some();
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
                // Some items were renewed after their page was read. The next call deletes the others.
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

fn save_cursor(cursor: &Key) -> TransactWriteItem {
    let mut item = cursor_key();
    item.insert(CURSOR_ATTRIBUTE.to_owned(), AttributeValue::M(cursor.clone()));
    let put = TransactPut { table_name: CURSOR_TABLE.to_owned(), item, ..TransactPut::default() };
    TransactWriteItem { put: Some(put), ..TransactWriteItem::default() }
}

/// Checks whether the disk takes as much as a large request writes: writes a large item, then replaces it with an empty
/// one.
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

/// Returns the keys of a batch whose condition held. A cancelled transaction has a reason for each write, in order.
fn still_expired(batch: Vec<Key>, reasons: &[CancellationReason]) -> VecDeque<Key> {
    let held = batch.into_iter().zip(reasons).filter(|(_, reason)| reason.code != CONDITION_FAILED);
    held.map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests;
