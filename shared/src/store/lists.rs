//! The lists of the index: what a tenant owns, what it received, what is open to all. A list holds places only; the
//! images themselves are read from the table.

use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, Select};

use super::call::failure;
use super::item;
use super::keys::{GSK, INDEX, List, Position};
use super::meter::Capacity;
use super::{Store, StoreError};

/// In which order a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest image first.
    NewestFirst,
    /// The oldest image first.
    OldestFirst,
}

impl Store {
    /// At most `most` places of a list, those after `after` in that order. Fewer than `most` are the last.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn places(
        &self,
        list: &List,
        after: Option<&Position>,
        order: Order,
        most: usize,
    ) -> Result<Vec<Position>, StoreError> {
        let mut places = Vec::new();
        let mut after = after.cloned();
        while places.len() < most {
            let query = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(INDEX)
                .projection_expression(GSK)
                .expression_attribute_values(":list", item::text(list))
                .scan_index_forward(order == Order::OldestFirst)
                .limit(i32::try_from(most - places.len()).unwrap_or(i32::MAX))
                .return_consumed_capacity(ReturnConsumedCapacity::Total);
            let query = match (&after, order) {
                (None, _) => query.key_condition_expression("gpk = :list"),
                (Some(place), Order::NewestFirst) => query
                    .key_condition_expression("gpk = :list AND gsk < :after")
                    .expression_attribute_values(":after", item::text(place)),
                (Some(place), Order::OldestFirst) => query
                    .key_condition_expression("gpk = :list AND gsk > :after")
                    .expression_attribute_values(":after", item::text(place)),
            };
            self.meter.count_round_trip();
            let answer = query.send().await.map_err(|error| failure(&error))?;
            self.meter.count(Capacity::Read, answer.consumed_capacity());
            for found in answer.items() {
                let place = Position::parse(item::get_text(found, GSK)?);
                places.push(place.ok_or(StoreError::Unreadable(GSK))?);
            }
            if answer.last_evaluated_key.is_none() {
                break;
            }
            after = places.last().cloned();
        }
        Ok(places)
    }

    /// How many images a list holds. Reads the whole list: about 1 read unit for 50 images.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn count(&self, list: &List) -> Result<usize, StoreError> {
        let mut count = 0;
        let mut start = None;
        loop {
            self.meter.count_round_trip();
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .index_name(INDEX)
                .select(Select::Count)
                .key_condition_expression("gpk = :list")
                .expression_attribute_values(":list", item::text(list))
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failure(&error))?;
            self.meter.count(Capacity::Read, answer.consumed_capacity());
            count += usize::try_from(answer.count()).unwrap_or_default();
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(count);
            }
        }
    }
}
