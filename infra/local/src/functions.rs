//! The functions that handle HTTP requests, by the names that `infra/openapi.yaml` gives them.
//!
//! `build.rs` lists them from the document, so that a new function is named there and among this crate's dependencies, and
//! nowhere else; without the dependency the build fails.

use std::sync::Arc;

use imageshare::function::HttpFunction;
use imageshare::http::HttpResponse;
use lambda_http::Request;

use crate::gateway::{BoxFuture, Handlers};

/// What a function does with a request.
pub type EntryPoint = fn(Arc<HttpFunction>, Request) -> BoxFuture<HttpResponse>;

macro_rules! entry_points {
    ($($name:literal => $library:ident,)*) => {
        /// Every function with its entry point, sorted by name.
        pub const ENTRY_POINTS: &[(&str, EntryPoint)] = &[$((
            $name,
            |function, request| Box::pin(async move { ::$library::handle(&function, request).await }),
        )),*];
    };
}
include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The entry point of a function; none where no function that handles HTTP requests has that name.
pub fn entry_point(name: &str) -> Option<EntryPoint> {
    ENTRY_POINTS.iter().find(|(known, _)| *known == name).map(|(_, entry_point)| *entry_point)
}

/// The functions as handlers of a gateway, which share the app, the authenticator and the read limits of `function`.
pub fn handlers(function: HttpFunction) -> Handlers {
    let function = Arc::new(function);
    ENTRY_POINTS.iter().fold(Handlers::default(), |handlers, (name, entry_point)| {
        let function = Arc::clone(&function);
        handlers.with(name, move |request| entry_point(Arc::clone(&function), request))
    })
}
