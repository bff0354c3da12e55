//! The `main` of every function: starts the log, reads the deployment from the environment, then handles one event
//! after the other for as long as Lambda keeps the process. A function whose deployment is wrong starts, too, to say so.

/// The error that ends a function, for its log.
pub use lambda_http::Error;
use lambda_http::{Request, service_fn};
use lambda_runtime::LambdaEvent;
use serde_json::Value;
use tokio::runtime::Builder;

use super::deployment::{app_from_env, function_from_env, publisher_from_env};
use super::readiness::Readiness;
use super::{HttpFunction, init_logging, lambda_deadline, with_request_span};
use crate::App;
use crate::events::Bus;
use crate::http::HttpResponse;

/// Runs a function that handles HTTP requests, each with `handle`. While its deployment is wrong, they are marked, and get
/// 503. Returns only if the function has lost Lambda's Runtime API.
///
/// # Errors
/// An error of the Runtime API.
pub fn run<H, R>(handle: H) -> Result<(), Error>
where
    H: Fn(&'static HttpFunction, Request) -> R + Send + Sync,
    R: Future<Output = HttpResponse> + Send,
{
    init_logging();
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        // The function lives as long as the process, so leak it: the future of `handle` can borrow it without a bound
        // on `R`.
        let (function, readiness) = function_from_env().await;
        let (function, readiness): (&'static HttpFunction, &'static Readiness) =
            (Box::leak(Box::new(function)), Box::leak(Box::new(readiness)));
        let handle = &handle;
        lambda_http::run(service_fn(async |request| {
            let response = with_request_span(request, |request| async move {
                handle(function, readiness.mark(request).await).await
            });
            Ok::<_, Error>(response.await)
        }))
        .await
    })
}

/// As [`run_worker`], for a function that publishes on the bus of the deployment: `IMAGESHARE_EVENT_BUS`, a name or ARN
/// of EventBridge. Without it nothing is published.
///
/// # Errors
/// An error of the Runtime API.
pub fn run_publisher<E>(handle: impl AsyncFn(&App, &dyn Bus, Value) -> Result<Value, E>) -> Result<(), Error>
where
    Error: From<E>,
{
    init_logging();
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (app, bus, readiness) = publisher_from_env().await;
        lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
            readiness.check().await?;
            let app = app.with_deadline(lambda_deadline(&event.context));
            Ok::<_, Error>(handle(&app, &*bus, event.payload).await?)
        }))
        .await
    })
}

/// Runs a function that handles events other than HTTP requests, each with `handle`. Its calls to the table have a
/// deadline early enough to report the outcome before Lambda's timeout. While its deployment is wrong, every event fails, so
/// that it is delivered again. Returns only if the function has lost Lambda's Runtime API.
///
/// # Errors
/// An error of the Runtime API.
pub fn run_worker<E>(handle: impl AsyncFn(&App, Value) -> Result<Value, E>) -> Result<(), Error>
where
    Error: From<E>,
{
    init_logging();
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (app, readiness) = app_from_env().await;
        lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| {
            readiness.check().await?;
            let app = app.with_deadline(lambda_deadline(&event.context));
            Ok::<_, Error>(handle(&app, event.payload).await?)
        }))
        .await
    })
}
