//! The store's table trait, implemented with the embedded database.
//!
//! The calls pass Rust values. The database could also be called as DynamoDB is, with JSON through the SDK's HTTP
//! client. Then the SDK, and writing and reading that JSON twice each, would take more time than the database.

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
use imageshare::store::opens_work_item;
use imageshare::table::{
    Action, BatchRead, Item, Key, Page, Projection, Query, ReadOutput, StorageFault, Table, TableError,
    TableFuture, TransactionToken, Write, WriteOutput, standalone_check_error,
};

use tokio::sync::Notify;

use super::convert::{from_item, from_items, to_failure, to_item, to_names, to_values};
use super::open_database::OpenDatabase;
use super::scheduler::{CallError, CallScheduler, Lane, QueueHandle};
use super::storage::Storage;
use crate::TABLE;

/// Makes a call return the capacity units that it used, for the request's log line.
const RETURN_TOTAL_CAPACITY: &str = "TOTAL";

/// Makes a put return the old item if its condition fails.
const RETURN_OLD_ITEM: &str = "ALL_OLD";

/// The embedded table through one lane, as a store uses it. Cheap to clone.
#[derive(Clone)]
pub struct TableLane {
    pub(super) scheduler: Arc<CallScheduler<OpenDatabase>>,
    pub(super) queue: QueueHandle,
    pub(super) storage: Arc<Storage>,
    pub(super) work_notify: Arc<Notify>,
    pub(super) change_notify: Arc<Notify>,
}

impl std::fmt::Debug for TableLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableLane").field("lane", &self.queue.lane()).finish_non_exhaustive()
    }
}

impl TableLane {
    /// Runs a call on the database's thread, when its turn comes. Requests and responses are converted on the caller's
    /// thread.
    async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&OpenDatabase) -> Result<T, DynoxideError> + Send + 'static,
    ) -> Result<T, TableError> {
        match self.scheduler.run(&self.queue, call).await {
            Ok(output) => output.map_err(|problem| self.record_failure(to_failure(problem))),
            Err(problem @ CallError::Closed) => Err(TableError::Closed(problem.to_string())),
            Err(problem @ CallError::Panicked) => Err(TableError::Service {
                code: "InternalServerError".to_owned(),
                message: problem.to_string(),
            }),
        }
    }

    /// Runs a call that writes. Returns after confirming that the next start will find what it wrote.
    async fn write<T: Send + 'static>(
        &self,
        call: impl FnOnce(&OpenDatabase) -> Result<T, DynoxideError> + Send + 'static,
    ) -> Result<T, TableError> {
        let output = self.run(call).await?;
        self.change_notify.notify_one();
        self.storage.verify_in_place()?;
        Ok(output)
    }

    /// Records a failure of the storage. Returns the failure.
    fn record_failure(&self, failure: TableError) -> TableError {
        let TableError::Storage(fault, detail) = failure else { return failure };
        if !self.storage.is_in_place() {
            return TableError::Storage(StorageFault::Missing, detail);
        }
        TableError::Storage(self.storage.record_fault(fault), detail)
    }

    /// Notifies the dispatcher if a write opens a work item.
    fn notify_work(&self, written: &[Write]) {
        if written.iter().any(opens_work_item) {
            self.work_notify.notify_one();
        }
    }
}

impl Table for TableLane {
    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        Box::pin(async move {
            let request = GetItemRequest {
                table_name: TABLE.to_owned(),
                key: to_item(key)?,
                consistent_read: Some(true),
                return_consumed_capacity: Some(RETURN_TOTAL_CAPACITY.to_owned()),
                ..GetItemRequest::default()
            };
            let output = self.run(|opened| opened.database.get_item(request)).await?;
            let items = output.item.map(from_item).into_iter().collect();
            Ok(ReadOutput { items, unprocessed: Vec::new(), units: total_units(&output.consumed_capacity) })
        })
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        Box::pin(async move {
            let (projection_expression, expression_attribute_names) = read.projection.expression().unzip();
            let wanted = KeysAndAttributes {
                keys: read.keys.iter().map(to_item).collect::<Result<_, _>>()?,
                consistent_read: Some(read.consistent),
                projection_expression,
                expression_attribute_names,
                ..KeysAndAttributes::default()
            };
            let request = BatchGetItemRequest {
                request_items: [(TABLE.to_owned(), wanted)].into(),
                return_consumed_capacity: Some(RETURN_TOTAL_CAPACITY.to_owned()),
            };
            // The embedded database is never throttled, so no key is left unprocessed.
            let output = self.run(|opened| opened.database.batch_get_item(request)).await?;
            let items = output.responses.into_values().flat_map(from_items).collect();
            Ok(ReadOutput {
                items,
                unprocessed: Vec::new(),
                units: total_units(output.consumed_capacity.iter().flatten()),
            })
        })
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        Box::pin(async move {
            let (projection_expression, expression_attribute_names) = query.projection.expression().unzip();
            let request = QueryRequest {
                table_name: TABLE.to_owned(),
                index_name: query.index.map(str::to_owned),
                key_condition_expression: Some(query.condition.to_owned()),
                filter_expression: query.filter.map(str::to_owned),
                projection_expression,
                expression_attribute_names,
                expression_attribute_values: to_values(&query.values)?,
                select: (query.projection == Projection::Count).then(|| "COUNT".to_owned()),
                scan_index_forward: !query.descending,
                limit: query.limit,
                exclusive_start_key: query.start.as_ref().map(to_item).transpose()?,
                consistent_read: Some(query.consistent),
                return_consumed_capacity: Some(RETURN_TOTAL_CAPACITY.to_owned()),
                ..QueryRequest::default()
            };
            let output = self.run(|opened| opened.database.query(request)).await?;
            Ok(Page {
                items: output.items.map(from_items).into_iter().flatten().collect(),
                count: output.count,
                next: output.last_evaluated_key.map(from_item),
                units: total_units(&output.consumed_capacity),
            })
        })
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        match &write.action {
            Action::Put(item) => Box::pin(async move {
                let written = self.put(item, write).await?;
                self.notify_work(slice::from_ref(write));
                Ok(written)
            }),
            Action::Update(key, expression) => Box::pin(self.update(key, expression, write)),
            Action::Delete(key) => Box::pin(self.delete(key, write)),
            Action::Check(_) => Box::pin(async { Err(standalone_check_error()) }),
        }
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        _: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move {
            let request = TransactWriteItemsRequest {
                transact_items: writes.iter().map(to_transact_item).collect::<Result<_, _>>()?,
                return_consumed_capacity: Some(RETURN_TOTAL_CAPACITY.to_owned()),
                // No response gets lost here, so the token is not needed; the database would search those of ten
                // minutes.
                client_request_token: None,
                ..TransactWriteItemsRequest::default()
            };
            let output = self.write(|opened| opened.database.transact_write_items(request)).await?;
            self.notify_work(writes);
            Ok(WriteOutput {
                updated: Item::new(),
                units: total_units(output.consumed_capacity.iter().flatten()),
            })
        })
    }

    /// Requests of a tenant wait in its own queue. Background work has no flows.
    fn for_tenant(&self, tenant: &TenantId) -> Option<Arc<dyn Table>> {
        match self.queue.lane() {
            Lane::Request => {
                Some(Arc::new(Self { queue: self.scheduler.tenant_queue(tenant), ..self.clone() }))
            }
            Lane::Worker | Lane::Cleanup => None,
        }
    }
}

impl TableLane {
    async fn put(&self, item: &Item, write: &Write) -> Result<WriteOutput, TableError> {
        let request = PutItemRequest {
            table_name: TABLE.to_owned(),
            item: to_item(item)?,
            condition_expression: condition_expression(write),
            expression_attribute_names: to_names(&write.names),
            expression_attribute_values: to_values(&write.values)?,
            return_values_on_condition_check_failure: Some(RETURN_OLD_ITEM.to_owned()),
            return_consumed_capacity: Some(RETURN_TOTAL_CAPACITY.to_owned()),
            ..PutItemRequest::default()
        };
        let output = self.write(|opened| opened.database.put_item(request)).await?;
        Ok(WriteOutput { updated: Item::new(), units: total_units(&output.consumed_capacity) })
    }

    async fn update(&self, key: &Key, expression: &str, write: &Write) -> Result<WriteOutput, TableError> {
        let request = UpdateItemRequest {
            table_name: TABLE.to_owned(),
            key: to_item(key)?,
            update_expression: Some(expression.to_owned()),
            condition_expression: condition_expression(write),
            expression_attribute_names: to_names(&write.names),
            expression_attribute_values: to_values(&write.values)?,
            return_values: Some("UPDATED_NEW".to_owned()),
            return_consumed_capacity: Some(RETURN_TOTAL_CAPACITY.to_owned()),
            ..UpdateItemRequest::default()
        };
        let output = self.write(|opened| opened.database.update_item(request)).await?;
        let updated = output.attributes.map(from_item).unwrap_or_default();
        Ok(WriteOutput { updated, units: total_units(&output.consumed_capacity) })
    }

    async fn delete(&self, key: &Key, write: &Write) -> Result<WriteOutput, TableError> {
        let request = DeleteItemRequest {
            table_name: TABLE.to_owned(),
            key: to_item(key)?,
            condition_expression: condition_expression(write),
            expression_attribute_names: to_names(&write.names),
            expression_attribute_values: to_values(&write.values)?,
            return_consumed_capacity: Some(RETURN_TOTAL_CAPACITY.to_owned()),
            ..DeleteItemRequest::default()
        };
        let output = self.write(|opened| opened.database.delete_item(request)).await?;
        Ok(WriteOutput { updated: Item::new(), units: total_units(&output.consumed_capacity) })
    }
}

fn to_transact_item(write: &Write) -> Result<TransactWriteItem, TableError> {
    let mut item = TransactWriteItem::default();
    let table_name = TABLE.to_owned();
    let expression_attribute_names = to_names(&write.names);
    let expression_attribute_values = to_values(&write.values)?;
    match &write.action {
        Action::Put(put) => {
            item.put = Some(TransactPut {
                table_name,
                item: to_item(put)?,
                condition_expression: condition_expression(write),
                expression_attribute_names,
                expression_attribute_values,
                return_values_on_condition_check_failure: Some(RETURN_OLD_ITEM.to_owned()),
            });
        }
        Action::Update(key, expression) => {
            item.update = Some(TransactUpdate {
                table_name,
                key: to_item(key)?,
                update_expression: (*expression).to_owned(),
                condition_expression: condition_expression(write),
                expression_attribute_names,
                expression_attribute_values,
                return_values_on_condition_check_failure: None,
            });
        }
        Action::Delete(key) => {
            item.delete = Some(TransactDelete {
                table_name,
                key: to_item(key)?,
                condition_expression: condition_expression(write),
                expression_attribute_names,
                expression_attribute_values,
                return_values_on_condition_check_failure: None,
            });
        }
        Action::Check(key) => {
            item.condition_check = Some(TransactConditionCheck {
                table_name,
                key: to_item(key)?,
                condition_expression: condition_expression(write).unwrap_or_default(),
                expression_attribute_names,
                expression_attribute_values,
                return_values_on_condition_check_failure: None,
            });
        }
    }
    Ok(item)
}

fn condition_expression(write: &Write) -> Option<String> {
    write.condition.as_deref().map(str::to_owned)
}

fn total_units<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> f64 {
    consumed.into_iter().map(|consumed| consumed.capacity_units).sum()
}
