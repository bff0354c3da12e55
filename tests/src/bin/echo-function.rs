//! A function that does what its event says, for tests of the harness itself.

use std::{env, process};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match env::var("ECHO_START").as_deref() {
        Ok("refuse") => return Err("told to refuse".into()),
        Ok("panic") => process::abort(),
        _ => println!("started"),
    }
    lambda_runtime::run(service_fn(handle_event)).await
}

async fn handle_event(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload.get("do").and_then(Value::as_str) {
        Some("fail") => Err("told to fail".into()),
        Some("end") => process::exit(3),
        Some("env") => Ok(env::vars().collect()),
        Some("grow") => Ok(json!(vec![1_u8; 50 << 20].iter().map(|byte| u64::from(*byte)).sum::<u64>())),
        _ => Ok(
            json!({"event": event.payload, "id": event.context.request_id, "deadline": event.context.deadline}),
        ),
    }
}
