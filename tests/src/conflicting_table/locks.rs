//! The rules of conflicts, for all test tables.
//!
//! DynamoDB documents (Developer Guide, "Transaction conflict handling" and "Isolation levels for DynamoDB
//! transactions"):
//!
//! * a `TransactWriteItems` is cancelled if it shares an item with another one in progress, even if either only
//!   checks the item. The reason is `TransactionConflict` for each such item;
//! * a `PutItem`, `UpdateItem` or `DeleteItem` of an item of a transaction in progress is rejected with
//!   `TransactionConflictException`. A plain write in progress cancels nothing, and two of them never conflict;
//! * `GetItem`, `BatchGetItem` and `Query` are never rejected.
//!
//! Where the guide is silent, the harsher behaviour is assumed. A transaction locks its items from its request to its
//! response. A transaction that is cancelled keeps those locks that it did get until its response, as a storage node
//! that has prepared an item keeps it until it learns of the cancellation. So cancelled transactions cancel others.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use imageshare::table::{Action, AttributeValue, CancelReason, Item, Key, TableError, Write};

/// The code of a [`CancelReason`] whose item belongs to another transaction in progress.
pub const TRANSACTION_CONFLICT: &str = "TransactionConflict";

/// The default duration of a transaction that conflicts, in virtual time.
pub const DEFAULT_CONFLICT_LATENCY: Duration = Duration::from_millis(5);

const CONFLICT_MESSAGE: &str = "Transaction is ongoing for the item";

/// The items locked by the transactions of one table. No two transactions lock the same item. Clones share the locks.
#[derive(Debug, Clone, Default)]
pub struct ItemLocks(Arc<Mutex<HashSet<ItemKey>>>);

/// The locks of a transaction, released when this is dropped.
#[derive(Debug)]
#[must_use = "the items are free as soon as this is dropped"]
pub struct ItemLockGuard {
    locks: ItemLocks,
    locked: HashSet<ItemKey>,
}

impl ItemLocks {
    /// Locks the items of a transaction, except those that other transactions have locked.
    ///
    /// Returns the guard, and an error if there are such items. The error is the response to the transaction, which
    /// keeps the guard until then.
    pub fn lock(&self, writes: &[Write]) -> (ItemLockGuard, Result<(), TableError>) {
        let keys: Vec<_> = writes.iter().map(item_key).collect();
        let (conflicts, acquired): (HashSet<_>, HashSet<_>) = {
            let mut items = self.locked_items();
            let split = keys.iter().cloned().partition(|key| items.contains(key));
            items.extend(HashSet::clone(&split.1));
            split
        };
        let result = if conflicts.is_empty() {
            Ok(())
        } else {
            Err(TableError::Canceled(
                keys.iter().map(|key| cancellation_reason(conflicts.contains(key))).collect(),
            ))
        };
        (ItemLockGuard { locks: self.clone(), locked: acquired }, result)
    }

    /// Checks whether a plain write may be executed now.
    ///
    /// # Errors
    /// The response to the write if a transaction has locked its item.
    pub fn check(&self, write: &Write) -> Result<(), TableError> {
        if self.locked_items().contains(&item_key(write)) { Err(conflict_exception()) } else { Ok(()) }
    }

    fn locked_items(&self) -> MutexGuard<'_, HashSet<ItemKey>> {
        self.0.lock().expect("no panic under the lock")
    }
}

impl Drop for ItemLockGuard {
    fn drop(&mut self) {
        self.locks.locked_items().retain(|key| !self.locked.contains(key));
    }
}

/// Whether a write failed because of a transaction in progress.
pub fn is_conflict(failure: &TableError) -> bool {
    has_reason(failure, TRANSACTION_CONFLICT) || *failure == conflict_exception()
}

pub(super) fn has_reason(failure: &TableError, code: &str) -> bool {
    let TableError::Canceled(reasons) = failure else { return false };
    reasons.iter().any(|reason| reason.code.as_deref() == Some(code))
}

/// The response to a plain write of a locked item.
fn conflict_exception() -> TableError {
    TableError::Service {
        code: "TransactionConflictException".to_owned(),
        message: CONFLICT_MESSAGE.to_owned(),
    }
}

/// The reason for one write of a cancelled transaction.
fn cancellation_reason(conflicts: bool) -> CancelReason {
    let text = |text: &str| conflicts.then(|| text.to_owned());
    CancelReason { code: text(TRANSACTION_CONFLICT), message: text(CONFLICT_MESSAGE), found: None }
}

/// The primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ItemKey(String, String);

impl ItemKey {
    pub(super) fn from_item(item: &Item) -> Self {
        let text = |name: &str| item[name].as_s().expect("keys are texts").clone();
        Self(text("pk"), text("sk"))
    }

    pub(super) fn to_key(&self) -> Key {
        let Self(pk, sk) = self.clone();
        Key::from([("pk".to_owned(), AttributeValue::S(pk)), ("sk".to_owned(), AttributeValue::S(sk))])
    }
}

/// The item that a write puts, or the key that it refers to.
pub(super) fn item_or_key(write: &Write) -> &Item {
    match &write.action {
        Action::Put(item) => item,
        Action::Update(key, _) | Action::Delete(key) | Action::Check(key) => key,
    }
}

pub(super) fn item_key(write: &Write) -> ItemKey {
    ItemKey::from_item(item_or_key(write))
}
