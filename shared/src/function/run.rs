//! The `main` of every function: starts the log, reads the deployment from the environment, then handles one event
//! after the other for as long as Lambda keeps the process.

/// The error that ends a function, for its log.
pub use lambda_http::Error;
use lambda_http::{Request, service_fn};
use lambda_runtime::LambdaEvent;
use serde_json::Value;
use tokio::runtime::Builder;

use super::{HttpFunction, app_from_env, init_logging, lambda_deadline, with_request_span};
use crate::App;
use crate::http::HttpResponse;

/// Runs a function that handles HTTP requests, each with `handle`. Returns only if the function cannot start or has
/// lost Lambda's Runtime API.
///
/// # Errors
/// [`BadDeployment`](super::BadDeployment) names the environment variable that is missing or invalid; any other error
/// is from the Runtime API.
pub fn run<H, R>(handle: H) -> Result<(), Error>
where
    H: Fn(&'static HttpFunction, Request) -> R + Send + Sync,
    R: Future<Output = HttpResponse> + Send,
{
    init_logging();
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        // The function lives as long as the process, so leak it: the future of `handle` can borrow it without a bound
        // on `R`.
        let function: &'static HttpFunction = Box::leak(Box::new(HttpFunction::from_env().await?));
        lambda_http::run(service_fn(async |request| {
            let response = with_request_span(request, |request| handle(function, request));
            Ok::<_, Error>(response.await)
        }))
        .await
    })
}

/// Runs a function that handles events other than HTTP requests, each with `handle`. Its calls to the table have a
/// deadline early enough to report the outcome before Lambda's timeout. Returns only if the function cannot start or
/// has lost Lambda's Runtime API.
///
/// # Errors
/// [`BadDeployment`](super::BadDeployment) names the environment variable that is missing or invalid; any other error
/// is from the Runtime API.
pub fn run_worker<E>(handle: impl AsyncFn(&App, Value) -> Result<Value, E>) -> Result<(), Error>
where
    Error: From<E>,
{
    init_logging();
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let app = app_from_env().await?;
        lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
            let app = app.with_deadline(lambda_deadline(&event.context));
            Ok::<_, Error>(handle(&app, event.payload).await?)
        }))
        .await
    })
}
