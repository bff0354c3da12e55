//! The rules of conflict, for any test table.
//!
//! DynamoDB documents (Developer Guide, "Transaction conflict handling" and "Isolation levels for DynamoDB transactions"):
//!
//! * a `TransactWriteItems` with an item of another one under way, even if either only checks it, is cancelled, with the
//!   reason `TransactionConflict` for each such item;
//! * a `PutItem`, `UpdateItem` or `DeleteItem` of an item of a transaction under way is rejected with
//!   `TransactionConflictException`. A plain write under way cancels nothing, and two of them never conflict;
//! * `GetItem`, `BatchGetItem` and `Query` are never rejected.
//!
//! Where the guide says nothing, the harsher answer is taken: a transaction holds its items from its request to its answer,
//! and one that is to be cancelled holds those of its items that it did get until its answer too (a storage node that has
//! accepted to prepare an item keeps it until it is told of the cancellation), so losers cancel others.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use imageshare::table::{Action, AttributeValue, CancelReason, Item, Key, TableError, Write};

/// The code of a [`CancelReason`] whose item belongs to another transaction under way.
pub const TRANSACTION_CONFLICT: &str = "TransactionConflict";

/// How long a transaction that conflicts takes, in virtual time, where a test names no other time.
pub const DEFAULT_CONFLICT_LATENCY: Duration = Duration::from_millis(5);

const CONFLICT_MESSAGE: &str = "Transaction is ongoing for the item";

/// The items of the transactions under way in one table. No two transactions hold the same item. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct ItemLocks(Arc<Mutex<HashSet<ItemKey>>>);

/// What a transaction holds, until this is dropped.
#[derive(Debug)]
#[must_use = "the items are free as soon as this is dropped"]
pub struct ItemLockGuard {
    locks: ItemLocks,
    locked: HashSet<ItemKey>,
}

impl ItemLocks {
    /// Holds the items of a transaction, except those that other transactions hold.
    ///
    /// Returns the hold, and an error if there are such items. That error is the answer to the transaction, which keeps the
    /// hold until it has been answered.
    pub fn lock(&self, writes: &[Write]) -> (ItemLockGuard, Result<(), TableError>) {
        let places: Vec<_> = writes.iter().map(item_key).collect();
        let (conflicts, got): (HashSet<_>, HashSet<_>) = {
            let mut held = self.locked_items();
            let parts = places.iter().cloned().partition(|place| held.contains(place));
            held.extend(HashSet::clone(&parts.1));
            parts
        };
        let taken = if conflicts.is_empty() {
            Ok(())
        } else {
            Err(TableError::Canceled(
                places.iter().map(|place| cancellation_reason(conflicts.contains(place))).collect(),
            ))
        };
        (ItemLockGuard { locks: self.clone(), locked: got }, taken)
    }

    /// Checks that a plain write may be made now.
    ///
    /// # Errors
    /// The answer to the write, if a transaction holds its item.
    pub fn check(&self, write: &Write) -> Result<(), TableError> {
        if self.locked_items().contains(&item_key(write)) { Err(conflict_exception()) } else { Ok(()) }
    }

    fn locked_items(&self) -> MutexGuard<'_, HashSet<ItemKey>> {
        self.0.lock().expect("no panic under the lock")
    }
}

impl Drop for ItemLockGuard {
    fn drop(&mut self) {
        self.locks.locked_items().retain(|place| !self.locked.contains(place));
    }
}

/// Whether a write failed because of a transaction under way.
pub fn is_conflict(failure: &TableError) -> bool {
    has_reason(failure, TRANSACTION_CONFLICT) || *failure == conflict_exception()
}

pub(super) fn has_reason(failure: &TableError, code: &str) -> bool {
    let TableError::Canceled(reasons) = failure else { return false };
    reasons.iter().any(|reason| reason.code.as_deref() == Some(code))
}

/// The answer to a plain write of an item of a transaction under way.
fn conflict_exception() -> TableError {
    TableError::Service {
        code: "TransactionConflictException".to_owned(),
        message: CONFLICT_MESSAGE.to_owned(),
    }
}

/// The reason of a cancelled transaction for one of its writes.
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

/// The item that a write puts, or the key of the one that it is about.
pub(super) fn item_or_key(write: &Write) -> &Item {
    match &write.action {
        Action::Put(item) => item,
        Action::Update(key, _) | Action::Delete(key) | Action::Check(key) => key,
    }
}

pub(super) fn item_key(write: &Write) -> ItemKey {
    ItemKey::from_item(item_or_key(write))
}
