//! The functions that the gateway calls.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use imageshare::http::HttpResponse;

/// A boxed future, as handlers and hooks return it.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A function that handles requests.
pub type Handler = Arc<dyn Fn(lambda_http::Request) -> BoxFuture<HttpResponse> + Send + Sync>;

/// A hook that runs before each call of a function.
pub type BeforeHook = Arc<dyn Fn() -> BoxFuture<()> + Send + Sync>;

/// The functions, by the names that the routes use.
#[derive(Default)]
pub struct Handlers(HashMap<&'static str, Handler>);

impl Handlers {
    /// Adds a function.
    #[must_use]
    pub fn with<F, R>(mut self, name: &'static str, function: F) -> Self
    where
        F: Fn(lambda_http::Request) -> R + Send + Sync + 'static,
        R: Future<Output = HttpResponse> + Send + 'static,
    {
        self.0.insert(name, Arc::new(move |request| Box::pin(function(request))));
        self
    }

    /// Makes every function wait for `hook` before it runs.
    #[must_use]
    pub fn with_before_hook(self, hook: BeforeHook) -> Self {
        let wrap = |function: Handler| -> Handler {
            let hook = Arc::clone(&hook);
            Arc::new(move |request| {
                let (before, function) = (hook(), Arc::clone(&function));
                Box::pin(async move {
                    before.await;
                    function(request).await
                })
            })
        };
        Self(self.0.into_iter().map(|(name, function)| (name, wrap(function))).collect())
    }

    pub(super) fn get(&self, name: &str) -> Option<Handler> {
        self.0.get(name).map(Arc::clone)
    }
}
