//! The accesses of a request to DynamoDB as it is on the wire, whatever has sent it.

use http::HeaderMap;
use serde_json::Value;

use super::Access;
use super::access::partition_placeholder;

/// The function that has signed a request: the tests give each function its name as access key.
pub(super) fn function_of_request(headers: &HeaderMap) -> Option<&str> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    authorization.split_once("Credential=")?.1.split('/').next()
}

/// The accesses of a request; none for an operation that functions do not use.
///
/// # Panics
/// If the body is not a request of that operation.
pub(super) fn accesses_of_request(operation: &str, body: &[u8]) -> Vec<Access> {
    let request: Value = serde_json::from_slice(body).expect("the SDK sends JSON");
    let on_table = |action: &str, key: &Value| Access::new(action, None, text(&key["pk"]));
    match operation {
        "PutItem" => vec![on_table(operation, &request["Item"])],
        "GetItem" | "UpdateItem" | "DeleteItem" => vec![on_table(operation, &request["Key"])],
        "BatchGetItem" => {
            let tables = request["RequestItems"].as_object().expect("tables").values();
            let keys = tables.flat_map(|table| table["Keys"].as_array().expect("keys"));
            keys.map(|key| on_table(operation, key)).collect()
        }
        "Query" => {
            let placeholder = partition_placeholder(text(&request["KeyConditionExpression"]));
            let partition = &request["ExpressionAttributeValues"][placeholder];
            vec![Access::new(operation, request["IndexName"].as_str(), text(partition))]
        }
        "TransactWriteItems" => {
            let parts = request["TransactItems"].as_array().expect("parts");
            parts.iter().map(access_of_part).collect()
        }
        _ => Vec::new(),
    }
}

/// The access of one part of a transaction.
fn access_of_part(part: &Value) -> Access {
    let (kind, write) = part.as_object().and_then(|part| part.iter().next()).expect("a write");
    let key = if kind == "Put" { &write["Item"] } else { &write["Key"] };
    Access::new(&format!("{kind}Item"), None, text(&key["pk"]))
}

/// A text, or the text of an attribute.
fn text(value: &Value) -> &str {
    value.as_str().or_else(|| value["S"].as_str()).unwrap_or_default()
}
