//! The definition of the table, for the embedded database and for tests. On AWS the Terraform module creates the same.

use serde_json::{Value, json};

use super::keys::{Index, PK, SK};

/// Returns the body of the `CreateTable` call: billed on demand, with three indexes that hold keys only, and a stream
/// that has each item before and after a write ([`ItemChange`](super::ItemChange)). The call cannot set TTL; items expire by the attribute [`TTL`](super::TTL).
pub fn table_definition(name: &str) -> Value {
    let attribute = |name| json!({"AttributeName": name, "AttributeType": "S"});
    let keys = |hash, range| {
        json!([
            {"AttributeName": hash, "KeyType": "HASH"},
            {"AttributeName": range, "KeyType": "RANGE"},
        ])
    };
    let index = |index: Index| {
        json!({
            "IndexName": index.name(),
            "KeySchema": keys(index.partition_key(), index.sort_key()),
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        })
    };
    let index_attributes = Index::ALL.into_iter().flat_map(|index| [index.partition_key(), index.sort_key()]);
    let attributes: Vec<_> = [PK, SK].into_iter().chain(index_attributes).map(attribute).collect();
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes,
        "KeySchema": keys(PK, SK),
        "GlobalSecondaryIndexes": Index::ALL.map(index),
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    })
}
