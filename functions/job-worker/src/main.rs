//! The Lambda function `job-worker`.

use imageshare::function::{end_of, service_from_env, start_log};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    start_log();
    let service = service_from_env().await?;
    run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
        let in_time = service.until(end_of(&event.context));
        job_worker::handle(&in_time, event.payload).await.map_err(Error::from)
    }))
    .await
}
