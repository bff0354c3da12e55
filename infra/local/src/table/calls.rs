//! The store's calls, answered by the embedded database.
//!
//! The database takes and gives Rust values. It could as well be asked as DynamoDB is, in JSON behind the SDK's HTTP
//! client; then writing and reading that JSON, twice each, and the SDK around it take more time than the database.

use std::slice;
use std::sync::Arc;

use dynoxide::DynoxideError;
use dynoxide::actions::batch_get_item::{BatchGetItemRequest, KeysAndAttributes};
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::query::QueryRequest;
use dynoxide::actions::transact_write_items::{
    TransactConditionCheck, TransactDelete, TransactPut, TransactUpdate, TransactWriteItem,
    TransactWriteItemsRequest,
};
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::types::ConsumedCapacity;
use imageshare::domain::TenantId;
use imageshare::store::opens_a_piece;
use imageshare::table::{
    Action, Answer, Attributes, BatchRead, Failure, Found, Item, Key, Page, Query, StorageFault, Table,
    Token, Write, Written, no_lone_check,
};

use tokio::sync::Notify;

use super::convert::{failure, from_item, from_items, names, to_item, values};
use super::lanes::{Lane, Lanes, Line, Unanswered};
use super::storage::Storage;
use super::{Opened, TABLE};

/// What a call costs is told: it stands in every request's log line.
const CAPACITY: &str = "TOTAL";

/// What a put's condition did not hold of is told.
const FOUND: &str = "ALL_OLD";

/// The embedded table as one lane of it is seen by a store. Cheap to clone.
#[derive(Clone)]
pub struct TableLane {
    pub(super) lanes: Arc<Lanes<Opened>>,
    pub(super) line: Line,
    pub(super) storage: Arc<Storage>,
    pub(super) work: Arc<Notify>,
}

impl std::fmt::Debug for TableLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableLane").field("lane", &self.line.lane()).finish_non_exhaustive()
    }
}

impl TableLane {
    /// Runs a call when its turn comes, on the thread of the database. What it is asked and what it answers are made and
    /// read on the caller's own.
    async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Opened) -> Result<T, DynoxideError> + Send + 'static,
    ) -> Result<T, Failure> {
        match self.lanes.run(&self.line, call).await {
            Ok(answer) => answer.map_err(|problem| self.noted(failure(problem))),
            Err(problem @ Unanswered::Closed) => Err(Failure::Closed(problem.to_string())),
            Err(problem @ Unanswered::Panicked) => {
                Err(Failure::Service { code: "InternalServerError".to_owned(), message: problem.to_string() })
            }
        }
    }

    /// Runs a call that writes. Its answer comes when what it has written is sure to be found by the next start.
    async fn write<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Opened) -> Result<T, DynoxideError> + Send + 'static,
    ) -> Result<T, Failure> {
        let answer = self.run(call).await?;
        self.storage.confirm()?;
        Ok(answer)
    }

    /// The same failure, which is remembered where the storage has failed.
    fn noted(&self, failure: Failure) -> Failure {
        let Failure::Storage(fault, detail) = failure else { return failure };
        if !self.storage.is_in_place() {
            return Failure::Storage(StorageFault::Missing, detail);
        }
        Failure::Storage(self.storage.note(fault), detail)
    }

    /// Tells of work that was written.
    fn tell(&self, written: &[Write]) {
        if written.iter().any(opens_a_piece) {
            self.work.notify_one();
        }
    }
}

impl Table for TableLane {
    fn get_item<'a>(&'a self, key: &'a Key) -> Answer<'a, Found> {
        Box::pin(async move {
            let request = GetItemRequest {
                table_name: TABLE.to_owned(),
                key: to_item(key)?,
                consistent_read: Some(true),
                return_consumed_capacity: Some(CAPACITY.to_owned()),
                ..GetItemRequest::default()
            };
            let answer = self.run(|opened| opened.database.get_item(request)).await?;
            let items = answer.item.map(from_item).into_iter().collect();
            Ok(Found { items, unread: Vec::new(), units: units(&answer.consumed_capacity) })
        })
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> Answer<'a, Found> {
        Box::pin(async move {
            let (projection_expression, expression_attribute_names) = read.attributes.projection().unzip();
            let wanted = KeysAndAttributes {
                keys: read.keys.iter().map(to_item).collect::<Result<_, _>>()?,
                consistent_read: Some(read.consistent),
                projection_expression,
                expression_attribute_names,
                ..KeysAndAttributes::default()
            };
            let request = BatchGetItemRequest {
                request_items: [(TABLE.to_owned(), wanted)].into(),
                return_consumed_capacity: Some(CAPACITY.to_owned()),
            };
            // It is never too busy: no key is left unread.
            let answer = self.run(|opened| opened.database.batch_get_item(request)).await?;
            let items = answer.responses.into_values().flat_map(from_items).collect();
            Ok(Found { items, unread: Vec::new(), units: units(answer.consumed_capacity.iter().flatten()) })
        })
    }

    fn query<'a>(&'a self, query: &'a Query) -> Answer<'a, Page> {
        Box::pin(async move {
            let (projection_expression, expression_attribute_names) = query.attributes.projection().unzip();
            let request = QueryRequest {
                table_name: TABLE.to_owned(),
                index_name: query.index.map(str::to_owned),
                key_condition_expression: Some(query.condition.to_owned()),
                filter_expression: query.filter.map(str::to_owned),
                projection_expression,
                expression_attribute_names,
                expression_attribute_values: values(&query.values)?,
                select: (query.attributes == Attributes::Count).then(|| "COUNT".to_owned()),
                scan_index_forward: !query.descending,
                limit: query.most,
                exclusive_start_key: query.start.as_ref().map(to_item).transpose()?,
                consistent_read: Some(query.consistent),
                return_consumed_capacity: Some(CAPACITY.to_owned()),
                ..QueryRequest::default()
            };
            let answer = self.run(|opened| opened.database.query(request)).await?;
            Ok(Page {
                items: answer.items.map(from_items).into_iter().flatten().collect(),
                count: answer.count,
                next: answer.last_evaluated_key.map(from_item),
                units: units(&answer.consumed_capacity),
            })
        })
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> Answer<'a, Written> {
        match &write.action {
            Action::Put(item) => Box::pin(async move {
                let written = self.put(item, write).await?;
                self.tell(slice::from_ref(write));
                Ok(written)
            }),
            Action::Update(key, expression) => Box::pin(self.update(key, expression, write)),
            Action::Delete(key) => Box::pin(self.delete(key, write)),
            Action::Check(_) => Box::pin(async { Err(no_lone_check()) }),
        }
    }

    fn transact_write_items<'a>(&'a self, writes: &'a [Write], _: Token) -> Answer<'a, Written> {
        Box::pin(async move {
            let request = TransactWriteItemsRequest {
                transact_items: writes.iter().map(in_transaction).collect::<Result<_, _>>()?,
                return_consumed_capacity: Some(CAPACITY.to_owned()),
                // No answer is lost on the way, and the database looks through the tokens of ten minutes.
                client_request_token: None,
                ..TransactWriteItemsRequest::default()
            };
            let answer = self.write(|opened| opened.database.transact_write_items(request)).await?;
            self.tell(writes);
            Ok(Written { updated: Item::new(), units: units(answer.consumed_capacity.iter().flatten()) })
        })
    }

    /// Background work has no tenant's flow.
    fn on_behalf_of(&self, tenant: &TenantId) -> Option<Arc<dyn Table>> {
        match self.line.lane() {
            Lane::Request => Some(Arc::new(Self { line: self.lanes.line_of(tenant), ..self.clone() })),
            Lane::Worker | Lane::Cleanup => None,
        }
    }
}

impl TableLane {
    async fn put(&self, item: &Item, write: &Write) -> Result<Written, Failure> {
        let request = PutItemRequest {
            table_name: TABLE.to_owned(),
            item: to_item(item)?,
            condition_expression: condition(write),
            expression_attribute_names: names(&write.names),
            expression_attribute_values: values(&write.values)?,
            return_values_on_condition_check_failure: Some(FOUND.to_owned()),
            return_consumed_capacity: Some(CAPACITY.to_owned()),
            ..PutItemRequest::default()
        };
        let answer = self.write(|opened| opened.database.put_item(request)).await?;
        Ok(Written { updated: Item::new(), units: units(&answer.consumed_capacity) })
    }

    async fn update(&self, key: &Key, expression: &str, write: &Write) -> Result<Written, Failure> {
        let request = UpdateItemRequest {
            table_name: TABLE.to_owned(),
            key: to_item(key)?,
            update_expression: Some(expression.to_owned()),
            condition_expression: condition(write),
            expression_attribute_names: names(&write.names),
            expression_attribute_values: values(&write.values)?,
            return_values: Some("UPDATED_NEW".to_owned()),
            return_consumed_capacity: Some(CAPACITY.to_owned()),
            ..UpdateItemRequest::default()
        };
        let answer = self.write(|opened| opened.database.update_item(request)).await?;
        let updated = answer.attributes.map(from_item).unwrap_or_default();
        Ok(Written { updated, units: units(&answer.consumed_capacity) })
    }

    async fn delete(&self, key: &Key, write: &Write) -> Result<Written, Failure> {
        let request = DeleteItemRequest {
            table_name: TABLE.to_owned(),
            key: to_item(key)?,
            condition_expression: condition(write),
            expression_attribute_names: names(&write.names),
            expression_attribute_values: values(&write.values)?,
            return_consumed_capacity: Some(CAPACITY.to_owned()),
            ..DeleteItemRequest::default()
        };
        let answer = self.write(|opened| opened.database.delete_item(request)).await?;
        Ok(Written { updated: Item::new(), units: units(&answer.consumed_capacity) })
    }
}

fn in_transaction(write: &Write) -> Result<TransactWriteItem, Failure> {
    let mut item = TransactWriteItem::default();
    let table_name = TABLE.to_owned();
    let expression_attribute_names = names(&write.names);
    let expression_attribute_values = values(&write.values)?;
    match &write.action {
        Action::Put(put) => {
            item.put = Some(TransactPut {
                table_name,
                item: to_item(put)?,
                condition_expression: condition(write),
                expression_attribute_names,
                expression_attribute_values,
                return_values_on_condition_check_failure: Some(FOUND.to_owned()),
            });
        }
        Action::Update(key, expression) => {
            item.update = Some(TransactUpdate {
                table_name,
                key: to_item(key)?,
                update_expression: (*expression).to_owned(),
                condition_expression: condition(write),
                expression_attribute_names,
                expression_attribute_values,
                return_values_on_condition_check_failure: None,
            });
        }
        Action::Delete(key) => {
            item.delete = Some(TransactDelete {
                table_name,
                key: to_item(key)?,
                condition_expression: condition(write),
                expression_attribute_names,
                expression_attribute_values,
                return_values_on_condition_check_failure: None,
            });
        }
        Action::Check(key) => {
            item.condition_check = Some(TransactConditionCheck {
                table_name,
                key: to_item(key)?,
                condition_expression: condition(write).unwrap_or_default(),
                expression_attribute_names,
                expression_attribute_values,
                return_values_on_condition_check_failure: None,
            });
        }
    }
    Ok(item)
}

fn condition(write: &Write) -> Option<String> {
    write.condition.as_deref().map(str::to_owned)
}

fn units<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> f64 {
    consumed.into_iter().map(|consumed| consumed.capacity_units).sum()
}
