//! The Lambda function `job-status`.

use imageshare::function::{HttpFunction, init_logging, with_request_span};
use lambda_http::service_fn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    init_logging();
    let function = HttpFunction::from_env().await?;
    lambda_http::run(service_fn(async |request| {
        let answer = with_request_span(request, |request| job_status::handle(&function, request));
        Ok::<_, lambda_http::Error>(answer.await)
    }))
    .await
}
