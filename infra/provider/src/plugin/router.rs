//! From the path of a request to the service that answers it.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::grpc::{Request, Response, unimplemented};

/// The procedures under one name.
pub trait Service: Send + Sync + 'static {
    /// The name, such as `tfplugin6.Provider`.
    fn name(&self) -> &'static str;

    /// Answers a call of the procedure `method`.
    fn call<'a>(&'a self, method: &'a str, request: Request) -> BoxFuture<'a, Response>;
}

/// The services of the process.
pub struct Router(Vec<Arc<dyn Service>>);

impl Router {
    /// A router to these.
    pub fn new(services: Vec<Arc<dyn Service>>) -> Self {
        Self(services)
    }

    /// Answers a request. One that no service has is answered `unimplemented`.
    pub async fn call(&self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        let Some((service, method)) = parts else { return unimplemented() };
        match self.0.iter().find(|known| known.name() == service) {
            Some(service) => service.call(method, request).await,
            None => unimplemented(),
        }
    }
}
