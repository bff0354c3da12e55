//! Calls DynamoDB by the AWS SDK, which signs the requests. Each call is made once: retries are the store's.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, ConsumedCapacity, Delete, KeysAndAttributes, Put,
    ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure, Select, TransactWriteItem,
    Update,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use hyper_util::client::legacy::Error as HttpError;

use super::{
    Action, BatchRead, CONDITION_FAILED, CancelReason, Item, Key, Page, Projection, Query, ReadOutput, Table,
    TableError, TableFuture, TransactionToken, Values, Write, WriteOutput, standalone_check_error,
};

const RETURN_CAPACITY: ReturnConsumedCapacity = ReturnConsumedCapacity::Total;
const RETURN_OLD_ITEM: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;

/// A table in DynamoDB, or in a compatible service at the client's endpoint.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
    table: String,
}

impl DynamoDb {
    /// Creates a handle to the table with this name. The client must not retry, since the store does.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl Table for DynamoDb {
    fn charges_for_transactions(&self) -> bool {
        true
    }

    fn get_item<'a>(&'a self, key: &'a Key) -> TableFuture<'a, ReadOutput> {
        let call = self.client.get_item().table_name(&self.table).set_key(Some(key.clone()));
        let call = call.consistent_read(true).return_consumed_capacity(RETURN_CAPACITY);
        Box::pin(async move {
            let output = call.send().await.map_err(table_error)?;
            let units = capacity_units(output.consumed_capacity());
            Ok(ReadOutput { items: output.item.into_iter().collect(), unprocessed: Vec::new(), units })
        })
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> TableFuture<'a, ReadOutput> {
        Box::pin(async move {
            let (projection, names) = read.projection.expression().unzip();
            let request = KeysAndAttributes::builder()
                .set_keys(Some(read.keys.clone()))
                .consistent_read(read.consistent)
                .set_projection_expression(projection)
                .set_expression_attribute_names(names)
                .build()
                .map_err(build_error)?;
            let call = self.client.batch_get_item().request_items(&self.table, request);
            let output = call.return_consumed_capacity(RETURN_CAPACITY).send().await.map_err(table_error)?;
            let units = capacity_units(output.consumed_capacity());
            let items = output.responses.into_iter().flatten().flat_map(|(_, items)| items).collect();
            let unprocessed =
                output.unprocessed_keys.into_iter().flatten().flat_map(|(_, request)| request.keys);
            Ok(ReadOutput { items, unprocessed: unprocessed.collect(), units })
        })
    }

    fn query<'a>(&'a self, query: &'a Query) -> TableFuture<'a, Page> {
        let (projection, names) = query.projection.expression().unzip();
        let call = self
            .client
            .query()
            .table_name(&self.table)
            .set_index_name(query.index.map(str::to_owned))
            .key_condition_expression(query.condition)
            .set_filter_expression(query.filter.map(str::to_owned))
            .set_expression_attribute_values(values(&query.values))
            .set_projection_expression(projection)
            .set_expression_attribute_names(names)
            .set_select((query.projection == Projection::Count).then_some(Select::Count))
            .scan_index_forward(!query.descending)
            .set_limit(query.limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)))
            .set_exclusive_start_key(query.start.clone())
            .consistent_read(query.consistent)
            .return_consumed_capacity(RETURN_CAPACITY);
        Box::pin(async move {
            let output = call.send().await.map_err(table_error)?;
            Ok(Page {
                units: capacity_units(output.consumed_capacity()),
                count: usize::try_from(output.count).unwrap_or_default(),
                items: output.items.unwrap_or_default(),
                next: output.last_evaluated_key,
            })
        })
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        match &write.action {
            Action::Put(item) => self.put(item, write),
            Action::Update(key, expression) => self.update(key, expression, write),
            Action::Delete(key) => self.delete(key, write),
            Action::Check(_) => Box::pin(async { Err(standalone_check_error()) }),
        }
    }

    fn transact_write_items<'a>(
        &'a self,
        writes: &'a [Write],
        token: TransactionToken,
    ) -> TableFuture<'a, WriteOutput> {
        Box::pin(async move {
            let items = writes.iter().map(|write| self.transact_item(write));
            let items = items.collect::<Result<_, _>>().map_err(build_error)?;
            let call = self.client.transact_write_items().set_transact_items(Some(items));
            let call = call.client_request_token(token.to_string());
            match call.return_consumed_capacity(RETURN_CAPACITY).send().await {
                Ok(output) => Ok(write_output(None, output.consumed_capacity())),
                Err(error) => Err(match error.as_service_error() {
                    Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                        TableError::Canceled(
                            canceled.cancellation_reasons().iter().map(cancel_reason).collect(),
                        )
                    }
                    _ => table_error(error),
                }),
            }
        })
    }
}

/// Sets the table, condition, names and values of a write, which each builder of the SDK has in methods of its own.
macro_rules! write_builder {
    ($builder:expr, $table:expr, $write:expr) => {
        $builder
            .table_name($table)
            .set_condition_expression(condition($write))
            .set_expression_attribute_names(names($write))
            .set_expression_attribute_values(values(&$write.values))
    };
}

impl DynamoDb {
    fn put<'a>(&'a self, item: &'a Item, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        let call = write_builder!(self.client.put_item(), &self.table, write)
            .set_item(Some(item.clone()))
            .return_values_on_condition_check_failure(RETURN_OLD_ITEM)
            .return_consumed_capacity(RETURN_CAPACITY);
        Box::pin(async move {
            let output = call.send().await.map_err(|error| {
                let found = match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(failed)) => failed.item.clone(),
                    _ => None,
                };
                write_error(error, found)
            })?;
            Ok(write_output(None, output.consumed_capacity()))
        })
    }

    fn update<'a>(
        &'a self,
        key: &'a Key,
        expression: &'a str,
        write: &'a Write,
    ) -> TableFuture<'a, WriteOutput> {
        let call = write_builder!(self.client.update_item(), &self.table, write)
            .set_key(Some(key.clone()))
            .update_expression(expression)
            .return_values(ReturnValue::UpdatedNew)
            .return_consumed_capacity(RETURN_CAPACITY);
        Box::pin(async move {
            let mut output = call.send().await.map_err(|error| write_error(error, None))?;
            Ok(write_output(output.attributes.take(), output.consumed_capacity()))
        })
    }

    fn delete<'a>(&'a self, key: &'a Key, write: &'a Write) -> TableFuture<'a, WriteOutput> {
        let call = write_builder!(self.client.delete_item(), &self.table, write)
            .set_key(Some(key.clone()))
            .return_consumed_capacity(RETURN_CAPACITY);
        Box::pin(async move {
            let output = call.send().await.map_err(|error| write_error(error, None))?;
            Ok(write_output(None, output.consumed_capacity()))
        })
    }

    fn transact_item(&self, write: &Write) -> Result<TransactWriteItem, BuildError> {
        let item = TransactWriteItem::builder();
        let item = match &write.action {
            Action::Put(put) => item.put(
                write_builder!(Put::builder(), &self.table, write)
                    .set_item(Some(put.clone()))
                    .return_values_on_condition_check_failure(RETURN_OLD_ITEM)
                    .build()?,
            ),
            Action::Update(key, expression) => item.update(
                write_builder!(Update::builder(), &self.table, write)
                    .set_key(Some(key.clone()))
                    .update_expression(*expression)
                    .build()?,
            ),
            Action::Delete(key) => item.delete(
                write_builder!(Delete::builder(), &self.table, write).set_key(Some(key.clone())).build()?,
            ),
            Action::Check(key) => item.condition_check(
                write_builder!(ConditionCheck::builder(), &self.table, write)
                    .set_key(Some(key.clone()))
                    .build()?,
            ),
        };
        Ok(item.build())
    }
}

fn condition(write: &Write) -> Option<String> {
    write.condition.clone().map(Cow::into_owned)
}

fn names(write: &Write) -> Option<HashMap<String, String>> {
    let names = write.names.iter().map(|(name, attribute)| ((*name).to_owned(), (*attribute).to_owned()));
    (!write.names.is_empty()).then(|| names.collect())
}

/// Returns the values by name, or `None` instead of an empty map, which DynamoDB rejects.
fn values(values: &Values) -> Option<HashMap<String, AttributeValue>> {
    let named = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    (!values.is_empty()).then(|| named.collect())
}

fn capacity_units<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> f64 {
    consumed.into_iter().filter_map(ConsumedCapacity::capacity_units).sum()
}

fn write_output<'a>(
    updated: Option<Item>,
    consumed: impl IntoIterator<Item = &'a ConsumedCapacity>,
) -> WriteOutput {
    WriteOutput { updated: updated.unwrap_or_default(), units: capacity_units(consumed) }
}

fn cancel_reason(reason: &CancellationReason) -> CancelReason {
    CancelReason {
        code: reason.code().filter(|code| *code != "None").map(str::to_owned),
        message: reason.message().map(str::to_owned),
        found: reason.item().cloned(),
    }
}

/// Returns the error of a write of one item. `found` is the existing item, if the condition of a put did not hold.
fn write_error<E: ProvideErrorMetadata>(error: SdkError<E, HttpResponse>, found: Option<Item>) -> TableError {
    match error.as_service_error() {
        Some(failed) if failed.code() == Some("ConditionalCheckFailedException") => {
            let message = failed.message().map(str::to_owned);
            TableError::Canceled(vec![CancelReason {
                code: Some(CONDITION_FAILED.to_owned()),
                message,
                found,
            }])
        }
        _ => table_error(error),
    }
}

fn build_error(error: BuildError) -> TableError {
    TableError::Service { code: "ValidationException".to_owned(), message: error.to_string() }
}

/// Returns whether a call failed before any part of it was sent: it was not built, or there was no connection.
fn was_not_sent<E>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(failure) => {
            let mut cause = failure.as_connector_error().and_then(Error::source);
            while let Some(error) = cause {
                if error.downcast_ref::<HttpError>().is_some_and(HttpError::is_connect) {
                    return true;
                }
                cause = error.source();
            }
            false
        }
        _ => false,
    }
}

fn table_error<E: ProvideErrorMetadata>(error: SdkError<E, HttpResponse>) -> TableError {
    let is_server_error = error.raw_response().is_some_and(|response| response.status().is_server_error());
    match error.as_service_error() {
        None if was_not_sent(&error) => TableError::NotSent(error.to_string()),
        None => TableError::NoResponse(error.to_string()),
        Some(service) => {
            let code = service.code().unwrap_or("unknown").to_owned();
            let message = service.message().unwrap_or_default().to_owned();
            if is_server_error {
                TableError::NoResponse(format!("{code}: {message}"))
            } else {
                TableError::Service { code, message }
            }
        }
    }
}
