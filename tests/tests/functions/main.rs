//! The functions' real binaries, run by a stand-in for Lambda's Runtime API, and the tests of that stand-in.

mod cost;
mod harness;
mod metrics;
mod permissions;
mod secrets;
mod unready;
mod wiring;

use std::time::Duration;

use serde_json::Value;

/// The status and the JSON body of a response in API Gateway's form.
fn status_and_body(response: &Value) -> (u64, Value) {
    let body = response["body"].as_str().unwrap_or_default();
    (response["statusCode"].as_u64().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

/// Waits until a condition holds, for as long as a loaded machine may need.
async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_mins(2), async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert!(waited.await.is_ok(), "not within two minutes: {what}");
}
