//! The functions that the gateway calls.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use imageshare::http::HttpResponse;

/// An answer that is not there yet.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A function that answers requests.
pub type Handler = Arc<dyn Fn(lambda_http::Request) -> BoxFuture<HttpResponse> + Send + Sync>;

/// Something that is done before a function is called.
pub type BeforeHook = Arc<dyn Fn() -> BoxFuture<()> + Send + Sync>;

/// The functions by the names that the routes use.
#[derive(Default)]
pub struct Handlers(HashMap<&'static str, Handler>);

impl Handlers {
    /// The same with one more function.
    #[must_use]
    pub fn with<F, R>(mut self, name: &'static str, function: F) -> Self
    where
        F: Fn(lambda_http::Request) -> R + Send + Sync + 'static,
        R: Future<Output = HttpResponse> + Send + 'static,
    {
        self.0.insert(name, Arc::new(move |request| Box::pin(function(request))));
        self
    }

    /// The same functions; each waits for `first` before it is called.
    #[must_use]
    pub fn with_before_hook(self, first: BeforeHook) -> Self {
        let after = |function: Handler| -> Handler {
            let first = Arc::clone(&first);
            Arc::new(move |request| {
                let (first, function) = (first(), Arc::clone(&function));
                Box::pin(async move {
                    first.await;
                    function(request).await
                })
            })
        };
        Self(self.0.into_iter().map(|(name, function)| (name, after(function))).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<Handler> {
        self.0.get(name).map(Arc::clone)
    }
}
