//! A panic ends one call, with a diagnostic, and not the provider.

use std::any::Any;
use std::future::Future;
use std::panic::{self, PanicHookInfo};

use crate::diagnostic::Diagnostic;
use crate::protocol::Failure;

/// Has panics logged where Terraform collects them, without the values that the code had.
pub(super) fn install_hook() {
    panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(location, message_of_panic = message(panic.payload()), "the provider panicked");
    }));
}

/// Runs a handler to its end, also if its caller goes away. A panic in it becomes a response.
pub(crate) async fn reported<A: Failure + Send + 'static>(
    handler: impl Future<Output = A> + Send + 'static,
) -> A {
    let problem = match tokio::spawn(handler).await {
        Ok(response) => return response,
        Err(problem) => problem,
    };
    let what = match problem.try_into_panic() {
        Ok(payload) => message(payload.as_ref()).to_owned(),
        Err(problem) => problem.to_string(),
    };
    let detail = format!("{what}\nThis is a bug in the provider; please report it.");
    A::failure(Diagnostic::error("The provider crashed", detail).into())
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message")
}
