//! The Lambda function `job-worker`.

use imageshare::function::{app_from_env, init_logging, lambda_deadline};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    init_logging();
    let service = app_from_env().await?;
    run(service_fn(async |event: LambdaEvent<serde_json::Value>| {
        let in_time = service.with_deadline(lambda_deadline(&event.context));
        job_worker::handle(&in_time, event.payload).await.map_err(Error::from)
    }))
    .await
}
