//! What the store asks of DynamoDB: some calls of its API, with its expressions and its errors, for one table.
//!
//! On AWS the SDK answers them ([`DynamoDb`]), on one machine the embedded database does (`infra/local`). A call says all
//! of itself in a type of its own rather than the SDK's, so that neither way of answering can overlook a part of it.

mod dynamodb;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use aws_sdk_dynamodb::types::AttributeValue;
use uuid::Uuid;

pub use self::dynamodb::DynamoDb;
use crate::domain::TenantId;

/// An item, or a part of one.
pub type Item = HashMap<String, AttributeValue>;

/// The primary key of an item.
pub type Key = Item;

/// An answer that is on its way.
pub type TableFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, TableError>> + Send + 'a>>;

/// One DynamoDB table.
pub trait Table: fmt::Debug + Send + Sync {
    /// `GetItem`, strongly consistent.
    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput>;

    /// `BatchGetItem` of at most 100 keys.
    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput>;

    /// `Query`: one page.
    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page>;

    /// `PutItem`, `UpdateItem` or `DeleteItem`. The answer to an update tells what it has changed. A check alone is refused.
    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput>;

    /// `TransactWriteItems`: all of them or none. The same call again, with the same token, changes nothing.
    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput>;

    /// Returns the same table for calls on behalf of a tenant, where it matters to the table for whom a call is: one that
    /// makes its calls one after the other shares its time out between tenants. `None` where the table shares out nothing.
    fn for_tenant(&self, _tenant: &TenantId) -> Option<Arc<dyn Table>> {
        None
    }
}

/// Names a transaction, so that whoever did not hear its answer may send it again: DynamoDB remembers it for ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionToken(Uuid);

impl TransactionToken {
    /// The token of a new transaction.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for TransactionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// Why DynamoDB did not do what it was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum TableError {
    /// Nothing was written. One reason for each write, in order.
    Canceled(Vec<CancelReason>),
    /// An error of the service, or of what lies before it.
    Service {
        /// Its code, such as `ThrottlingException`.
        code: String,
        /// Its message.
        message: String,
    },
    /// The call was not sent, since there was no connection. Nothing was done.
    NotSent(String),
    /// There was no answer, or that something has failed inside; what was asked may have been done.
    NoResponse(String),
    /// The call was not taken, and no further one will be. Nothing was done.
    Closed(String),
    /// The table's storage does not do what it must. Nothing was done that this call asked for.
    Storage(StorageFault, String),
}

/// What is wrong with the storage under a table; only that of a table on the same machine tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageFault {
    /// There is no room left. Reads go on.
    Full,
    /// What was read is not what was written.
    Damaged,
    /// Its files were removed or replaced.
    Missing,
    /// The system reports an error of the disk or of the file system.
    Failing,
}

impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the disk is full",
            Self::Damaged => "the database is damaged",
            Self::Missing => "the database was removed or replaced",
            Self::Failing => "the disk cannot be read or written",
        })
    }
}

impl TableError {
    /// Whether what was asked may have been done all the same.
    pub fn may_have_been_applied(&self) -> bool {
        matches!(self, Self::NoResponse(_))
    }
}

/// What one write had to say to the failure of all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CancelReason {
    /// DynamoDB's code, such as `ConditionalCheckFailed`; `None` where this write was not the reason.
    pub code: Option<String>,
    /// Its message.
    pub message: Option<String>,
    /// The item that a put's condition did not hold of.
    pub found: Option<Item>,
}

/// What a check alone is answered with, for which DynamoDB has no call.
pub fn standalone_check_error() -> TableError {
    TableError::Service {
        code: "ValidationException".to_owned(),
        message: "a check stands in a transaction".to_owned(),
    }
}

/// The code of a [`CancelReason`] whose condition did not hold.
pub const CONDITION_FAILED: &str = "ConditionalCheckFailed";

/// Items that were read by key; missing ones are missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadOutput {
    /// The items, in no order.
    pub items: Vec<Item>,
    /// The keys that were not read, since the table was too busy.
    pub unprocessed: Vec<Key>,
    /// The read capacity units that it took.
    pub units: f64,
}

/// A page of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The items, in the order of the query; none where only their number was asked for.
    pub items: Vec<Item>,
    /// The number of items on the page.
    pub count: usize,
    /// Where the next page starts; `None` where there is none.
    pub next: Option<Key>,
    /// The read capacity units that it took.
    pub units: f64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteOutput {
    /// The attributes that an update alone has changed, as they are now.
    pub updated: Item,
    /// The write capacity units that it took, those of the index among them.
    pub units: f64,
}

/// The attributes of each item that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Projection {
    /// All that the table or the index has.
    #[default]
    All,
    /// Those.
    Only(&'static [&'static str]),
    /// None: the items are only counted.
    Count,
}

impl Projection {
    /// The projection expression and the names in it, which may be DynamoDB's own words, such as `owner`; `None` where the
    /// items are read whole.
    pub fn expression(self) -> Option<(String, HashMap<String, String>)> {
        let Self::Only(attributes) = self else { return None };
        let names = (0..).map(|place: u8| format!("#{place}"));
        let expression = names.clone().take(attributes.len()).collect::<Vec<_>>().join(",");
        Some((expression, names.zip(attributes.iter().map(|name| (*name).to_owned())).collect()))
    }
}

/// A read of several items by key.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRead {
    /// The keys, at most 100.
    pub keys: Vec<Key>,
    /// Whether the items are read as they are, for twice the units, or as they were a moment ago.
    pub consistent: bool,
    /// What of them is read.
    pub projection: Projection,
}

/// The values that an expression names, such as `:image`.
pub type Values = Vec<(&'static str, AttributeValue)>;

/// A query, which reads a page of the items of one partition of the table or of an index.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// The index; `None` for the table.
    pub index: Option<&'static str>,
    /// The key condition expression.
    pub condition: &'static str,
    /// The filter expression.
    pub filter: Option<&'static str>,
    /// The values of the expressions.
    pub values: Values,
    /// What of the items is read.
    pub projection: Projection,
    /// Whether the sort keys fall.
    pub descending: bool,
    /// Whether the items are read as they are, for twice the units, or as they were a moment ago.
    pub consistent: bool,
    /// How many items are read, before the filter, at most.
    pub limit: Option<usize>,
    /// Where the page starts.
    pub start: Option<Key>,
}

impl Query {
    /// A query of the items for which that key condition expression holds.
    pub fn new(condition: &'static str) -> Self {
        Self { condition, ..Self::default() }
    }

    /// The same, with the value of a name in its expressions.
    #[must_use]
    pub fn value(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.values.push((name, value));
        self
    }
}

/// A write of one item, which is made if a condition holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// What is done.
    pub action: Action,
    /// The condition expression.
    pub condition: Option<Cow<'static, str>>,
    /// The names in its expressions, such as `#ttl`.
    pub names: Vec<(&'static str, &'static str)>,
    /// The values of its expressions.
    pub values: Values,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Puts an item in the place of what is there. If its condition does not hold, what is there comes back.
    Put(Item),
    /// Changes an item as an update expression says.
    Update(Key, &'static str),
    /// Deletes an item.
    Delete(Key),
    /// Writes nothing: only the condition must hold. In a transaction alone.
    Check(Key),
}

impl Write {
    /// Puts an item.
    pub fn put(item: Item) -> Self {
        Self::new(Action::Put(item))
    }

    /// Changes an item as the update expression says.
    pub fn update(key: Key, expression: &'static str) -> Self {
        Self::new(Action::Update(key, expression))
    }

    /// Deletes an item.
    pub fn delete(key: Key) -> Self {
        Self::new(Action::Delete(key))
    }

    /// Writes nothing, and lets the transaction's other writes be made only if its condition holds of an item.
    pub fn check(key: Key) -> Self {
        Self::new(Action::Check(key))
    }

    fn new(action: Action) -> Self {
        Self { action, condition: None, names: Vec::new(), values: Vec::new() }
    }

    /// The same, if that condition expression holds.
    #[must_use]
    pub fn only_if(mut self, condition: impl Into<Cow<'static, str>>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    /// The same, if that condition expression holds and so do those that were set before. Neither may hold an `OR` at its top.
    #[must_use]
    pub fn and_if(self, condition: impl Into<Cow<'static, str>>) -> Self {
        let condition = condition.into();
        match &self.condition {
            Some(before) => {
                let both = format!("{before} AND {condition}");
                self.only_if(both)
            }
            None => self.only_if(condition),
        }
    }

    /// The same, with what a name in its expressions stands for.
    #[must_use]
    pub fn name(mut self, name: &'static str, attribute: &'static str) -> Self {
        self.names.push((name, attribute));
        self
    }

    /// The same, with the value of a name in its expressions.
    #[must_use]
    pub fn value(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.values.push((name, value));
        self
    }
}
