//! Writes each message of Terraform to a file, and hands it on.

use std::fs;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use imageshare_provider::plugin::{Request, Response, Service};

/// The length of what gRPC puts before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// A service whose requests are written down.
pub struct Recorder<S> {
    service: S,
    directory: PathBuf,
}

impl<S> Recorder<S> {
    /// Records into this directory: the latest message of each procedure, by its name.
    pub fn new(service: S, directory: PathBuf) -> Self {
        Self { service, directory }
    }
}

impl<S: Service> Service for Recorder<S> {
    fn name(&self) -> &'static str {
        self.service.name()
    }

    fn call<'a>(&'a self, method: &'a str, request: Request) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.expect("a whole request").to_bytes();
            fs::write(self.directory.join(method), &body[PREFIX..]).expect("a file");
            self.service
                .call(method, Request::from_parts(head, tonic::body::Body::new(Full::new(body))))
                .await
        })
    }
}
