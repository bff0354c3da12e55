//! Queries.

use imageshare_tests::api::ApiRequest;
use imageshare_tests::api_document::Parameter;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::world::{Failures, World};

/// The value of a query parameter as its schema sees it.
fn typed_value(parameter: &Parameter, text: &str) -> Value {
    match parameter.schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        Some("boolean") => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        Some("array") => json!([text]),
        _ => text.into(),
    }
}

#[tokio::test]
async fn query_that_violates_the_schema_is_rejected() {
    let world = World::start().await;
    let mut faults = Failures::default();
    let long = "x".repeat(300);
    let odd = [
        "",
        "0",
        "-1",
        "1001",
        "4294967296",
        "99999999999999999999",
        "1.5",
        "1e3",
        "abc",
        "true",
        "null",
        "NaN",
        "%00",
        "%FF",
        "a%23b",
        "gt:",
        "gt:2026-11-21",
        "%F0%9F%90%99",
        &long,
    ];
    let absurd =
        ["&&&", "=", "=&=", "%", "%zz=1", "a=b=c", "?", "%00=%00", "a[]=1", "a&a&a", "__proto__=x", "'--"];
    for operation in world.operations().into_iter().filter(|operation| operation.method == "GET") {
        let target = world.valid_path(&operation.path);
        for parameter in operation.parameters_in("query") {
            for value in odd {
                let request = ApiRequest::new("GET", format!("{target}?{}={value}", parameter.name));
                let response = world.send(&request).await;
                let decoded = percent_decode_str(value).decode_utf8();
                let is_good = decoded.is_ok_and(|text| {
                    world
                        .api
                        .document
                        .schema_violation(&parameter.schema, &typed_value(parameter, &text))
                        .is_none()
                });
                if is_good {
                    faults.expect_no_server_error(&request, &response);
                } else {
                    faults.expect_client_error(&request, &response);
                    // Glance's own messages on `member_status` name only the status.
                    let is_named = parameter.name.split('_').any(|word| response.message().contains(word));
                    assert!(is_named, "{response:?}");
                }
            }
            if parameter.schema["type"] == "array" {
                continue;
            }
            let twice = ApiRequest::new("GET", format!("{target}?{0}=1&{0}=1", parameter.name));
            faults.expect_client_error(&twice, &world.send(&twice).await);
        }
        for query in absurd {
            let request = ApiRequest::new("GET", format!("{target}?{query}"));
            faults.expect_no_server_error(&request, &world.send(&request).await);
        }
        if !operation.is_anonymous {
            let huge = world.send(&ApiRequest::new("GET", format!("{target}?{}", "a=b&".repeat(3000)))).await;
            huge.expect_status(431);
        }
    }
    faults.assert_none();
}
