//! The services that go-plugin itself expects beside the provider's.

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream;
use tokio_util::sync::CancellationToken;

use super::grpc::{Request, Response, server_stream, unary, unimplemented};
use super::router::Service;
use crate::protocol::{Diagnostic, Empty, Failure};

/// Ends the process when Terraform is done with it.
pub(super) struct Controller(CancellationToken);

impl Controller {
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self(shutdown)
    }
}

impl Service for Controller {
    fn name(&self) -> &'static str {
        "plugin.GRPCController"
    }

    fn call<'a>(&'a self, method: &'a str, request: Request) -> BoxFuture<'a, Response> {
        let shutdown = self.0.clone();
        Box::pin(async move {
            if method != "Shutdown" {
                return unimplemented();
            }
            let handler = async move |_: Empty| {
                shutdown.cancel();
                Empty {}
            };
            unary(request, handler).await
        })
    }
}

/// What a plugin prints, forwarded to Terraform: nothing, since a provider prints nothing. The stream stays open until the end, as
/// its client expects.
pub(super) struct Stdio(CancellationToken);

impl Stdio {
    pub(super) fn new(shutdown: CancellationToken) -> Self {
        Self(shutdown)
    }
}

impl Service for Stdio {
    fn name(&self) -> &'static str {
        "plugin.GRPCStdio"
    }

    fn call<'a>(&'a self, method: &'a str, request: Request) -> BoxFuture<'a, Response> {
        let shutdown = self.0.clone();
        Box::pin(async move {
            if method != "StreamStdio" {
                return unimplemented();
            }
            let handler = async move |_: Empty| {
                stream::once(shutdown.cancelled_owned()).filter_map(async |()| None::<StdioData>)
            };
            server_stream(request, handler).await
        })
    }
}

/// Whether the process is alive.
pub(super) struct Health;

impl Service for Health {
    fn name(&self) -> &'static str {
        "grpc.health.v1.Health"
    }

    fn call<'a>(&'a self, method: &'a str, request: Request) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            match method {
                "Check" => {
                    let serving = HealthResponse { status: HealthStatus::Serving.into() };
                    unary(request, async move |_: Empty| serving).await
                }
                _ => unimplemented(),
            }
        })
    }
}

/// A piece of what a plugin printed.
#[derive(Clone, PartialEq, prost::Message)]
struct StdioData {
    #[prost(int32, tag = "1")]
    channel: i32,
    #[prost(bytes = "vec", tag = "2")]
    data: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct HealthResponse {
    #[prost(enumeration = "HealthStatus", tag = "1")]
    status: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
enum HealthStatus {
    Unknown = 0,
    Serving = 1,
}

impl Failure for Empty {
    fn failure(_: Diagnostic) -> Self {
        Self {}
    }
}

impl Failure for HealthResponse {
    fn failure(_: Diagnostic) -> Self {
        Self { status: HealthStatus::Unknown.into() }
    }
}
