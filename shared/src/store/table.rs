//! Makes the table, for the embedded default and for tests. On AWS the Terraform module makes it, to the same form.

use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType, TimeToLiveSpecification,
};

use super::call::failure;
use super::keys::{GPK, GSK, INDEX, PK, SK, TTL};
use super::{Store, StoreError};

impl Store {
    /// Makes the table where there is none: on demand, with the index and with TTL.
    ///
    /// # Errors
    /// [`StoreError`] where the table neither exists nor can be made.
    pub async fn create_table(&self) -> Result<(), StoreError> {
        let refused = |error: aws_sdk_dynamodb::error::BuildError| StoreError::Refused(error.to_string());
        let attribute = |name| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let element = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let index = GlobalSecondaryIndex::builder()
            .index_name(INDEX)
            .key_schema(element(GPK, KeyType::Hash).map_err(refused)?)
            .key_schema(element(GSK, KeyType::Range).map_err(refused)?)
            .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
            .build()
            .map_err(refused)?;
        let mut create =
            self.client.create_table().table_name(&self.table).billing_mode(BillingMode::PayPerRequest);
        for name in [PK, SK, GPK, GSK] {
            create = create.attribute_definitions(attribute(name).map_err(refused)?);
        }
        let made = create
            .key_schema(element(PK, KeyType::Hash).map_err(refused)?)
            .key_schema(element(SK, KeyType::Range).map_err(refused)?)
            .global_secondary_indexes(index)
            .send()
            .await;
        match made {
            Ok(_) => self.expire_by_ttl().await,
            Err(error)
                if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(failure(&error)),
        }
    }

    async fn expire_by_ttl(&self) -> Result<(), StoreError> {
        let by = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build();
        let by = by.map_err(|error| StoreError::Refused(error.to_string()))?;
        let sent =
            self.client.update_time_to_live().table_name(&self.table).time_to_live_specification(by).send();
        sent.await.map(|_| ()).map_err(|error| failure(&error))
    }
}
