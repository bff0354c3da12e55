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

use imageshare::table::{Action, AttributeValue, Failure, Item, Key, Reason, Write};

/// The code of a [`Reason`] whose item belongs to another transaction under way.
pub const CONFLICT: &str = "TransactionConflict";

/// How long a transaction that conflicts takes, in virtual time, where a test names no other time.
pub const CONFLICT_TIME: Duration = Duration::from_millis(5);

const MESSAGE: &str = "Transaction is ongoing for the item";

/// The items of the transactions under way in one table. No two transactions hold the same item. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Holds(Arc<Mutex<HashSet<Place>>>);

/// What a transaction holds, until this is dropped.
#[derive(Debug)]
#[must_use = "the items are free as soon as this is dropped"]
pub struct Hold {
    holds: Holds,
    got: HashSet<Place>,
}

impl Holds {
    /// Holds the items of a transaction, except those that other transactions hold.
    ///
    /// Returns the hold, and an error if there are such items. That error is the answer to the transaction, which keeps the
    /// hold until it has been answered.
    pub fn take(&self, writes: &[Write]) -> (Hold, Result<(), Failure>) {
        let places: Vec<_> = writes.iter().map(place).collect();
        let (conflicts, got): (HashSet<_>, HashSet<_>) = {
            let mut held = self.held();
            let parts = places.iter().cloned().partition(|place| held.contains(place));
            held.extend(HashSet::clone(&parts.1));
            parts
        };
        let taken = if conflicts.is_empty() {
            Ok(())
        } else {
            Err(Failure::Canceled(places.iter().map(|place| reason(conflicts.contains(place))).collect()))
        };
        (Hold { holds: self.clone(), got }, taken)
    }

    /// Checks that a plain write may be made now.
    ///
    /// # Errors
    /// The answer to the write, if a transaction holds its item.
    pub fn check(&self, write: &Write) -> Result<(), Failure> {
        if self.held().contains(&place(write)) { Err(rejection()) } else { Ok(()) }
    }

    fn held(&self) -> MutexGuard<'_, HashSet<Place>> {
        self.0.lock().expect("no panic under the lock")
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.holds.held().retain(|place| !self.got.contains(place));
    }
}

/// Whether a write failed because of a transaction under way.
pub fn is_conflict(failure: &Failure) -> bool {
    has_reason(failure, CONFLICT) || *failure == rejection()
}

pub(super) fn has_reason(failure: &Failure, code: &str) -> bool {
    let Failure::Canceled(reasons) = failure else { return false };
    reasons.iter().any(|reason| reason.code.as_deref() == Some(code))
}

/// The answer to a plain write of an item of a transaction under way.
fn rejection() -> Failure {
    Failure::Service { code: "TransactionConflictException".to_owned(), message: MESSAGE.to_owned() }
}

/// The reason of a cancelled transaction for one of its writes.
fn reason(conflicts: bool) -> Reason {
    let text = |text: &str| conflicts.then(|| text.to_owned());
    Reason { code: text(CONFLICT), message: text(MESSAGE), found: None }
}

/// The primary key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place(String, String);

impl Place {
    pub(super) fn of(item: &Item) -> Self {
        let text = |name: &str| item[name].as_s().expect("keys are texts").clone();
        Self(text("pk"), text("sk"))
    }

    pub(super) fn key(&self) -> Key {
        let Self(pk, sk) = self.clone();
        Key::from([("pk".to_owned(), AttributeValue::S(pk)), ("sk".to_owned(), AttributeValue::S(sk))])
    }
}

/// The item that a write puts, or the key of the one that it is about.
pub(super) fn item(write: &Write) -> &Item {
    match &write.action {
        Action::Put(item) => item,
        Action::Update(key, _) | Action::Delete(key) | Action::Check(key) => key,
    }
}

pub(super) fn place(write: &Write) -> Place {
    Place::of(item(write))
}
