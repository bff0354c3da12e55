//! What the table is made of, for the embedded default and for tests. On AWS the Terraform module makes it, to the same
//! form.

use serde_json::{Value, json};

use super::keys::{GPK, GSK, INDEX, PK, SK};

/// The body of the `CreateTable` call that makes a table of that name: on demand, with the index of keys. Its items
/// expire by the attribute [`TTL`](super::TTL).
pub fn definition(name: &str) -> Value {
    let attribute = |name| json!({"AttributeName": name, "AttributeType": "S"});
    let keys = |hash, range| json!([{"AttributeName": hash, "KeyType": "HASH"}, {"AttributeName": range, "KeyType": "RANGE"}]);
    let attributes = [PK, SK, GPK, GSK].map(attribute);
    json!({
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": attributes,
        "KeySchema": keys(PK, SK),
        "GlobalSecondaryIndexes": [{
            "IndexName": INDEX,
            "KeySchema": keys(GPK, GSK),
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }],
    })
}
