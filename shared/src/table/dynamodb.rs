//! The calls to DynamoDB by the AWS SDK, which signs them. Each is made once: who asks tries again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, ConsumedCapacity, Delete, KeysAndAttributes, Put,
    ReturnConsumedCapacity, ReturnValue, ReturnValuesOnConditionCheckFailure, Select, TransactWriteItem,
    Update,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use hyper_util::client::legacy::Error as HttpError;

use super::{
    Action, Answer, Attributes, BatchRead, CONDITION_FAILED, Failure, Found, Item, Key, Page, Query, Reason,
    Table, Token, Values, Write, Written, no_lone_check,
};

const CAPACITY: ReturnConsumedCapacity = ReturnConsumedCapacity::Total;
const FOUND: ReturnValuesOnConditionCheckFailure = ReturnValuesOnConditionCheckFailure::AllOld;

/// A table of the real DynamoDB, or of one that an endpoint stands for.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    client: Client,
    table: String,
}

impl DynamoDb {
    /// The table of that name, reached through that client.
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }
}

impl Table for DynamoDb {
    fn get_item<'a>(&'a self, key: &'a Key) -> Answer<'a, Found> {
        let call = self.client.get_item().table_name(&self.table).set_key(Some(key.clone()));
        let call = call.consistent_read(true).return_consumed_capacity(CAPACITY);
        Box::pin(async move {
            let answer = call.send().await.map_err(failure)?;
            let units = units(answer.consumed_capacity());
            Ok(Found { items: answer.item.into_iter().collect(), unread: Vec::new(), units })
        })
    }

    fn batch_get_item<'a>(&'a self, read: &'a BatchRead) -> Answer<'a, Found> {
        Box::pin(async move {
            let (projection, names) = read.attributes.projection().unzip();
            let wanted = KeysAndAttributes::builder()
                .set_keys(Some(read.keys.clone()))
                .consistent_read(read.consistent)
                .set_projection_expression(projection)
                .set_expression_attribute_names(names)
                .build()
                .map_err(unbuilt)?;
            let call = self.client.batch_get_item().request_items(&self.table, wanted);
            let answer = call.return_consumed_capacity(CAPACITY).send().await.map_err(failure)?;
            let units = units(answer.consumed_capacity());
            let items = answer.responses.into_iter().flatten().flat_map(|(_, items)| items).collect();
            let unread = answer.unprocessed_keys.into_iter().flatten().flat_map(|(_, unread)| unread.keys);
            Ok(Found { items, unread: unread.collect(), units })
        })
    }

    fn query<'a>(&'a self, query: &'a Query) -> Answer<'a, Page> {
        let (projection, names) = query.attributes.projection().unzip();
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
            .set_select((query.attributes == Attributes::Count).then_some(Select::Count))
            .scan_index_forward(!query.descending)
            .set_limit(query.most.map(|most| i32::try_from(most).unwrap_or(i32::MAX)))
            .set_exclusive_start_key(query.start.clone())
            .consistent_read(query.consistent)
            .return_consumed_capacity(CAPACITY);
        Box::pin(async move {
            let answer = call.send().await.map_err(failure)?;
            Ok(Page {
                units: units(answer.consumed_capacity()),
                count: usize::try_from(answer.count).unwrap_or_default(),
                items: answer.items.unwrap_or_default(),
                next: answer.last_evaluated_key,
            })
        })
    }

    fn write_item<'a>(&'a self, write: &'a Write) -> Answer<'a, Written> {
        match &write.action {
            Action::Put(item) => self.put(item, write),
            Action::Update(key, expression) => self.update(key, expression, write),
            Action::Delete(key) => self.delete(key, write),
            Action::Check(_) => Box::pin(async { Err(no_lone_check()) }),
        }
    }

    fn transact_write_items<'a>(&'a self, writes: &'a [Write], token: Token) -> Answer<'a, Written> {
        Box::pin(async move {
            let items = writes.iter().map(|write| self.in_transaction(write));
            let items = items.collect::<Result<_, _>>().map_err(unbuilt)?;
            let call = self.client.transact_write_items().set_transact_items(Some(items));
            let call = call.client_request_token(token.to_string());
            match call.return_consumed_capacity(CAPACITY).send().await {
                Ok(answer) => Ok(written(None, answer.consumed_capacity())),
                Err(error) => Err(match error.as_service_error() {
                    Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                        Failure::Canceled(canceled.cancellation_reasons().iter().map(reason).collect())
                    }
                    _ => failure(error),
                }),
            }
        })
    }
}

impl DynamoDb {
    fn put<'a>(&'a self, item: &'a Item, write: &'a Write) -> Answer<'a, Written> {
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item.clone()))
            .set_condition_expression(condition(write))
            .set_expression_attribute_names(names(write))
            .set_expression_attribute_values(values(&write.values))
            .return_values_on_condition_check_failure(FOUND)
            .return_consumed_capacity(CAPACITY);
        Box::pin(async move {
            match call.send().await {
                Ok(answer) => Ok(written(None, answer.consumed_capacity())),
                Err(error) => Err(match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                        condition_failed(failed.message.clone(), failed.item.clone())
                    }
                    _ => failure(error),
                }),
            }
        })
    }

    fn update<'a>(&'a self, key: &'a Key, expression: &'a str, write: &'a Write) -> Answer<'a, Written> {
        let call = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.clone()))
            .update_expression(expression)
            .set_condition_expression(condition(write))
            .set_expression_attribute_names(names(write))
            .set_expression_attribute_values(values(&write.values))
            .return_values(ReturnValue::UpdatedNew)
            .return_consumed_capacity(CAPACITY);
        Box::pin(async move {
            match call.send().await {
                Ok(mut answer) => Ok(written(answer.attributes.take(), answer.consumed_capacity())),
                Err(error) => Err(match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                        condition_failed(failed.message.clone(), None)
                    }
                    _ => failure(error),
                }),
            }
        })
    }

    fn delete<'a>(&'a self, key: &'a Key, write: &'a Write) -> Answer<'a, Written> {
        let call = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(key.clone()))
            .set_condition_expression(condition(write))
            .set_expression_attribute_names(names(write))
            .set_expression_attribute_values(values(&write.values))
            .return_consumed_capacity(CAPACITY);
        Box::pin(async move {
            match call.send().await {
                Ok(answer) => Ok(written(None, answer.consumed_capacity())),
                Err(error) => Err(match error.as_service_error() {
                    Some(DeleteItemError::ConditionalCheckFailedException(failed)) => {
                        condition_failed(failed.message.clone(), None)
                    }
                    _ => failure(error),
                }),
            }
        })
    }

    fn in_transaction(&self, write: &Write) -> Result<TransactWriteItem, BuildError> {
        let item = TransactWriteItem::builder();
        let item = match &write.action {
            Action::Put(put) => item.put(
                Put::builder()
                    .table_name(&self.table)
                    .set_item(Some(put.clone()))
                    .set_condition_expression(condition(write))
                    .set_expression_attribute_names(names(write))
                    .set_expression_attribute_values(values(&write.values))
                    .return_values_on_condition_check_failure(FOUND)
                    .build()?,
            ),
            Action::Update(key, expression) => item.update(
                Update::builder()
                    .table_name(&self.table)
                    .set_key(Some(key.clone()))
                    .update_expression(*expression)
                    .set_condition_expression(condition(write))
                    .set_expression_attribute_names(names(write))
                    .set_expression_attribute_values(values(&write.values))
                    .build()?,
            ),
            Action::Delete(key) => item.delete(
                Delete::builder()
                    .table_name(&self.table)
                    .set_key(Some(key.clone()))
                    .set_condition_expression(condition(write))
                    .set_expression_attribute_names(names(write))
                    .set_expression_attribute_values(values(&write.values))
                    .build()?,
            ),
            Action::Check(key) => item.condition_check(
                ConditionCheck::builder()
                    .table_name(&self.table)
                    .set_key(Some(key.clone()))
                    .set_condition_expression(condition(write))
                    .set_expression_attribute_names(names(write))
                    .set_expression_attribute_values(values(&write.values))
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

/// DynamoDB refuses an empty map of values.
fn values(values: &Values) -> Option<HashMap<String, AttributeValue>> {
    let named = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    (!values.is_empty()).then(|| named.collect())
}

fn units<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> f64 {
    consumed.into_iter().filter_map(ConsumedCapacity::capacity_units).sum()
}

fn written<'a>(updated: Option<Item>, consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> Written {
    Written { updated: updated.unwrap_or_default(), units: units(consumed) }
}

fn reason(reason: &CancellationReason) -> Reason {
    Reason {
        code: reason.code().filter(|code| *code != "None").map(str::to_owned),
        message: reason.message().map(str::to_owned),
        found: reason.item().cloned(),
    }
}

fn condition_failed(message: Option<String>, found: Option<Item>) -> Failure {
    Failure::Canceled(vec![Reason { code: Some(CONDITION_FAILED.to_owned()), message, found }])
}

fn unbuilt(error: BuildError) -> Failure {
    Failure::Service { code: "ValidationException".to_owned(), message: error.to_string() }
}

/// Whether a call failed before anything of it was sent.
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

fn failure<E: ProvideErrorMetadata>(error: SdkError<E, HttpResponse>) -> Failure {
    let has_failed_inside = error.raw_response().is_some_and(|response| response.status().is_server_error());
    match error.as_service_error() {
        None if was_not_sent(&error) => Failure::NotSent(error.to_string()),
        None => Failure::NoAnswer(error.to_string()),
        Some(service) => {
            let code = service.code().unwrap_or("unknown").to_owned();
            let message = service.message().unwrap_or_default().to_owned();
            if has_failed_inside {
                Failure::NoAnswer(format!("{code}: {message}"))
            } else {
                Failure::Service { code, message }
            }
        }
    }
}
