//! The functions that handle HTTP requests, by the names that `infra/openapi.yaml` gives them.
//!
//! `build.rs` reads the names from the document. So a new function needs an entry there and a dependency of this crate;
//! without the dependency the build fails.

use std::sync::Arc;

use imageshare::function::HttpFunction;
use imageshare::http::HttpResponse;
use lambda_http::Request;

use crate::gateway::{BoxFuture, Handlers};

tokio::task_local! {
    /// The function that the current task runs. The functions share a process here, and tests check what each of them
    /// does to the table.
    pub static CURRENT_FUNCTION: &'static str;
}

/// The function that handles a request.
pub type EntryPoint = fn(Arc<HttpFunction>, Request) -> BoxFuture<HttpResponse>;

macro_rules! entry_points {
    ($($name:literal => $library:ident,)*) => {
        /// Every function with its entry point, sorted by name.
        pub const ENTRY_POINTS: &[(&str, EntryPoint)] = &[$((
            $name,
            |function, request| {
                let response = async move { ::$library::handle(&function, request).await };
                Box::pin(CURRENT_FUNCTION.scope($name, response))
            },
        )),*];
    };
}
include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// Returns the entry point of a function; `None` if no function that handles HTTP requests has that name.
pub fn entry_point(name: &str) -> Option<EntryPoint> {
    ENTRY_POINTS.iter().find(|(function, _)| *function == name).map(|(_, entry_point)| *entry_point)
}

/// Returns every function as a gateway's handler. They share the app, authenticator and read limits of `function`.
pub fn handlers(function: HttpFunction) -> Handlers {
    let function = Arc::new(function);
    ENTRY_POINTS.iter().fold(Handlers::default(), |handlers, (name, entry_point)| {
        let function = Arc::clone(&function);
        handlers.with(name, move |request| entry_point(Arc::clone(&function), request))
    })
}
