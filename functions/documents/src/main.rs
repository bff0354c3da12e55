//! The Lambda function `documents`.

use imageshare::function::{Function, start_log, traced};
use lambda_http::service_fn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    start_log();
    let function = Function::from_env().await?;
    lambda_http::run(service_fn(async |request| {
        let answer = traced(request, |request| documents::handle(&function, request));
        Ok::<_, lambda_http::Error>(answer.await)
    }))
    .await
}
