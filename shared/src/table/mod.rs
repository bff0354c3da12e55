//! The part of DynamoDB's API that the store uses, for one table, with DynamoDB's expressions and errors.
//!
//! On AWS the SDK implements it ([`DynamoDb`]), on one machine the embedded database does (`infra/local`). Its
//! requests are types of their own, not the SDK's: they have only the fields that the store sets, so that no
//! implementation can overlook one.

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

/// An item, or some of its attributes.
pub type Item = HashMap<String, AttributeValue>;

/// The primary key of an item.
pub type Key = Item;

/// The pending result of a call.
pub type TableFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, TableError>> + Send + 'a>>;

/// One DynamoDB table.
pub trait Table: fmt::Debug + Send + Sync {
    /// `GetItem`, strongly consistent.
    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput>;

    /// `BatchGetItem` of at most 100 keys.
    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput>;

    /// `Query`: one page.
    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page>;

    /// `PutItem`, `UpdateItem` or `DeleteItem`. An update returns the attributes that it has set. A check is an error,
    /// since DynamoDB has it only in a transaction.
    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput>;

    /// `TransactWriteItems`: makes all of the writes or none. A retry with the same token changes nothing.
    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput>;

    /// Whether a write costs twice as much in a transaction as by itself, as it does in DynamoDB. What need not be in a
    /// transaction is then written apart from it.
    fn charges_for_transactions(&self) -> bool {
        false
    }

    /// Returns a handle whose calls are scheduled as those of a tenant, if the table makes its calls one after the
    /// other and so has tenants take turns; `None` if it does not.
    fn for_tenant(&self, _tenant: &TenantId) -> Option<Arc<dyn Table>> {
        None
    }
}

/// The idempotency token of a transaction, with which it can be retried if its response is lost. DynamoDB keeps it for
/// ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionToken(Uuid);

impl TransactionToken {
    /// Creates the token of a new transaction.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for TransactionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// A failed call.
#[derive(Debug, Clone, PartialEq)]
pub enum TableError {
    /// The write or transaction was canceled: nothing was written. One reason per write, in order.
    Canceled(Vec<CancelReason>),
    /// An error response of the service, but not that it has failed internally ([`Self::NoResponse`]).
    Service {
        /// Its code, such as `ThrottlingException`.
        code: String,
        /// Its message.
        message: String,
    },
    /// The call was not sent, for lack of a connection. Nothing was done.
    NotSent(String),
    /// There was no response, or one that reports an internal error. The call may have been carried out.
    NoResponse(String),
    /// The table is closed, or the deadline has passed. This call was not made, and a retry would not be.
    Closed(String),
    /// The table's storage fails. Nothing was done.
    Storage(StorageFault, String),
}

/// A fault of a table's storage. Only the embedded database reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StorageFault {
    /// There is no space left. Reads still work.
    Full,
    /// The data read is not the data written.
    Damaged,
    /// Its files were removed or replaced.
    Missing,
    /// The operating system reports an error of the disk or the file system.
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
    /// Returns whether the call may have been carried out although it failed.
    pub fn may_have_been_applied(&self) -> bool {
        matches!(self, Self::NoResponse(_))
    }
}

/// Why one write of a canceled transaction failed, if it did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CancelReason {
    /// DynamoDB's code, such as `ConditionalCheckFailed`; `None` if this write did not fail.
    pub code: Option<String>,
    /// DynamoDB's message.
    pub message: Option<String>,
    /// The existing item, if the condition of a put did not hold.
    pub found: Option<Item>,
}

/// Returns the error of a check outside a transaction, for which DynamoDB has no call.
pub fn standalone_check_error() -> TableError {
    TableError::Service {
        code: "ValidationException".to_owned(),
        message: "a check is only valid in a transaction".to_owned(),
    }
}

/// The code of a [`CancelReason`] for a condition that did not hold.
pub const CONDITION_FAILED: &str = "ConditionalCheckFailed";

/// The result of a read by key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReadOutput {
    /// The items that exist, in no order.
    pub items: Vec<Item>,
    /// The keys that were not read, because of throttling or the size limit of a response.
    pub unprocessed: Vec<Key>,
    /// The read capacity units consumed.
    pub units: f64,
}

/// A page of a query.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The items, in the order of the query; none for [`Projection::Count`].
    pub items: Vec<Item>,
    /// The number of items on the page.
    pub count: usize,
    /// Where the next page starts; `None` after the last page.
    pub next: Option<Key>,
    /// The read capacity units consumed.
    pub units: f64,
}

/// The result of a write.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WriteOutput {
    /// The attributes that an update has set, with their new values; empty for other writes and for a transaction.
    pub updated: Item,
    /// The write capacity units consumed, including those of the indexes.
    pub units: f64,
}

/// The attributes to read of each item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Projection {
    /// All attributes that the table or the index has.
    #[default]
    All,
    /// These attributes.
    Only(&'static [&'static str]),
    /// No attributes: the items are only counted.
    Count,
}

impl Projection {
    /// Returns the projection expression and its placeholders, without which a reserved word of DynamoDB, such as
    /// `owner`, would be an error; `None` unless only some attributes are read.
    pub fn expression(self) -> Option<(String, HashMap<String, String>)> {
        let Self::Only(attributes) = self else { return None };
        let names = (0..).map(|index: u8| format!("#{index}"));
        let expression = names.clone().take(attributes.len()).collect::<Vec<_>>().join(",");
        Some((expression, names.zip(attributes.iter().map(|name| (*name).to_owned())).collect()))
    }
}

/// A read of several items by key.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRead {
    /// The keys, at most 100.
    pub keys: Vec<Key>,
    /// Whether the read is strongly consistent, for twice the units, or eventually consistent.
    pub consistent: bool,
    /// The attributes to read.
    pub projection: Projection,
}

/// The values of the placeholders in an expression, such as `:image`.
pub type Values = Vec<(&'static str, AttributeValue)>;

/// A query: it reads one page of a partition of the table or of an index.
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
    /// The attributes to read.
    pub projection: Projection,
    /// Whether the sort keys are in descending order.
    pub descending: bool,
    /// Whether the read is strongly consistent, for twice the units, or eventually consistent.
    pub consistent: bool,
    /// The most items to read, before the filter.
    pub limit: Option<usize>,
    /// Where the page starts.
    pub start: Option<Key>,
}

impl Query {
    /// Creates a query with a key condition expression.
    pub fn new(condition: &'static str) -> Self {
        Self { condition, ..Self::default() }
    }

    /// Sets the value of a placeholder, such as `:image`.
    #[must_use]
    pub fn value(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.values.push((name, value));
        self
    }
}

/// A write of one item, made only if its condition holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// What it does.
    pub action: Action,
    /// The condition expression.
    pub condition: Option<Cow<'static, str>>,
    /// The placeholders for attribute names in its expressions, such as `#ttl`.
    pub names: Vec<(&'static str, &'static str)>,
    /// The values of its expressions.
    pub values: Values,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Puts an item, and replaces an existing one. If the condition does not hold, the error has the existing item.
    Put(Item),
    /// Applies an update expression to an item.
    Update(Key, &'static str),
    /// Deletes an item.
    Delete(Key),
    /// Writes nothing, and checks the condition. Only in a transaction.
    Check(Key),
}

impl Write {
    /// Creates a write that puts an item.
    pub fn put(item: Item) -> Self {
        Self::new(Action::Put(item))
    }

    /// Creates a write that applies an update expression to an item.
    pub fn update(key: Key, expression: &'static str) -> Self {
        Self::new(Action::Update(key, expression))
    }

    /// Creates a write that deletes an item.
    pub fn delete(key: Key) -> Self {
        Self::new(Action::Delete(key))
    }

    /// Creates a check: the transaction's other writes are made only if its condition holds for an item.
    pub fn check(key: Key) -> Self {
        Self::new(Action::Check(key))
    }

    fn new(action: Action) -> Self {
        Self { action, condition: None, names: Vec::new(), values: Vec::new() }
    }

    /// Sets the condition expression, in place of any set before.
    #[must_use]
    pub fn only_if(mut self, condition: impl Into<Cow<'static, str>>) -> Self {
        self.condition = Some(condition.into());
        self
    }

    /// Adds a condition expression to those set before, with `AND`. None of them may have an `OR` at its top level.
    #[must_use]
    pub fn and_if(self, condition: impl Into<Cow<'static, str>>) -> Self {
        let condition = condition.into();
        match &self.condition {
            Some(existing) => {
                let both = format!("{existing} AND {condition}");
                self.only_if(both)
            }
            None => self.only_if(condition),
        }
    }

    /// Sets the attribute name of a placeholder, such as `#ttl`.
    #[must_use]
    pub fn name(mut self, name: &'static str, attribute: &'static str) -> Self {
        self.names.push((name, attribute));
        self
    }

    /// Sets the value of a placeholder, such as `:image`.
    #[must_use]
    pub fn value(mut self, name: &'static str, value: AttributeValue) -> Self {
        self.values.push((name, value));
        self
    }
}
