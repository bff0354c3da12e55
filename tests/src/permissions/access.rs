//! One access to the table in IAM's terms, and the accesses of each call of the [`Table`](imageshare::table::Table).

use std::collections::BTreeSet;
use std::fmt;

use imageshare::table::{Action, AttributeValue, BatchRead, Item, Key, Query, Write};

use super::TABLE_RESOURCE;

/// An action of IAM on the table or on one of its indexes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKind {
    /// The action, without its service: `GetItem`.
    pub action: String,
    /// [`TABLE_RESOURCE`], or the name of an index.
    pub resource: String,
}

/// An action on the items whose partition keys begin in the same way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// The action.
    pub kind: AccessKind,
    /// The kind of item: its partition key up to the first `#`, such as `I#`, or all of it if it has none.
    pub prefix: String,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind: AccessKind { action, resource }, prefix } = self;
        write!(f, "dynamodb:{action} on {resource}, partitions {prefix}…")
    }
}

impl Access {
    /// The access to a partition of the table, or of an index.
    pub fn new(action: &str, index: Option<&str>, partition: &str) -> Self {
        let resource = index.unwrap_or(TABLE_RESOURCE).to_owned();
        let kind = AccessKind { action: action.to_owned(), resource };
        Self { kind, prefix: kind_of_partition(partition).to_owned() }
    }

    /// The access of a read by key.
    pub fn of_get(key: &Key) -> Vec<Self> {
        vec![Self::new("GetItem", None, partition(key))]
    }

    /// The accesses of a batch read, one for each kind of item.
    pub fn of_batch_get(read: &BatchRead) -> Vec<Self> {
        let kinds: BTreeSet<&str> = read.keys.iter().map(|key| kind_of_partition(partition(key))).collect();
        kinds.into_iter().map(|kind| Self::new("BatchGetItem", None, kind)).collect()
    }

    /// The access of a query. Its partition is the value of the first placeholder: `gpk = :list AND gsk < :before`.
    pub fn of_query(query: &Query) -> Vec<Self> {
        let placeholder = partition_placeholder(query.condition);
        let value = query.values.iter().find(|(name, _)| *name == placeholder);
        let partition = value.and_then(|(_, value)| value.as_s().ok()).map_or("", String::as_str);
        vec![Self::new("Query", query.index, partition)]
    }

    /// The accesses of a write or a transaction, which needs the actions of its parts.
    pub fn of_writes(writes: &[Write]) -> Vec<Self> {
        let of_write = |write: &Write| match &write.action {
            Action::Put(item) => Self::new("PutItem", None, partition(item)),
            Action::Update(key, _) => Self::new("UpdateItem", None, partition(key)),
            Action::Delete(key) => Self::new("DeleteItem", None, partition(key)),
            Action::Check(key) => Self::new("ConditionCheckItem", None, partition(key)),
        };
        writes.iter().map(of_write).collect()
    }
}

/// A partition key up to its first `#`.
fn kind_of_partition(partition: &str) -> &str {
    partition.find('#').map_or(partition, |end| &partition[..=end])
}

/// The placeholder of the partition key in a key condition.
pub(super) fn partition_placeholder(condition: &str) -> &str {
    condition.split_whitespace().nth(2).unwrap_or_default()
}

fn partition(item: &Item) -> &str {
    match item.get("pk") {
        Some(AttributeValue::S(partition)) => partition,
        _ => "",
    }
}
