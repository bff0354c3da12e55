//! From the name of a procedure to its code.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream;

use super::{Provider, Server};
use crate::diagnostic::Diagnostic;
use crate::plugin::{Request, Response, Service, server_stream, unary, unimplemented};
use crate::protocol::{Failure, ListResourceRequest};

impl<P: Provider> Service for Arc<Server<P>> {
    fn name(&self) -> &'static str {
        "tfplugin6.Provider"
    }

    fn call<'a>(&'a self, method: &'a str, request: Request) -> BoxFuture<'a, Response> {
        macro_rules! answer {
            ($procedure:ident) => {{
                let server = Arc::clone(self);
                unary(request, async move |message| server.$procedure(message).into_response()).await
            }};
            (async $procedure:ident) => {{
                let server = Arc::clone(self);
                unary(request, async move |message| server.$procedure(message).await.into_response()).await
            }};
        }
        Box::pin(async move {
            tracing::debug!(method, "called");
            match method {
                "GetMetadata" => answer!(get_metadata),
                "GetProviderSchema" => answer!(get_provider_schema),
                "GetResourceIdentitySchemas" => answer!(get_resource_identity_schemas),
                "ValidateProviderConfig" => answer!(validate_provider_config),
                "ConfigureProvider" => answer!(async configure_provider),
                "StopProvider" => answer!(stop_provider),
                "ValidateResourceConfig" => answer!(validate_resource_config),
                "UpgradeResourceState" => answer!(upgrade_resource_state),
                "UpgradeResourceIdentity" => answer!(upgrade_resource_identity),
                "ReadResource" => answer!(async read_resource),
                "PlanResourceChange" => answer!(async plan_resource_change),
                "ApplyResourceChange" => answer!(async apply_resource_change),
                "ImportResourceState" => answer!(async import_resource_state),
                "MoveResourceState" => answer!(move_resource_state),
                "ValidateDataResourceConfig" => answer!(validate_data_resource_config),
                "ReadDataSource" => answer!(async read_data_source),
                "ValidateEphemeralResourceConfig" => answer!(validate_ephemeral_resource_config),
                "OpenEphemeralResource" => answer!(async open_ephemeral_resource),
                "RenewEphemeralResource" => answer!(async renew_ephemeral_resource),
                "CloseEphemeralResource" => answer!(async close_ephemeral_resource),
                "GetFunctions" => answer!(get_functions),
                "CallFunction" => answer!(call_function),
                "ValidateListResourceConfig" => answer!(validate_list_resource_config),
                "ListResource" => {
                    let server = Arc::clone(self);
                    let handler = async move |message: ListResourceRequest| {
                        stream::iter(server.list_resource(message).await)
                    };
                    server_stream(request, handler).await
                }
                _ => unimplemented(),
            }
        })
    }
}

/// What a procedure returns: its response, or the error that becomes one.
trait Answer {
    type Response: Failure;

    fn into_response(self) -> Self::Response;
}

impl<A: Failure> Answer for A {
    type Response = Self;

    fn into_response(self) -> Self {
        self
    }
}

impl<A: Failure> Answer for Result<A, Diagnostic> {
    type Response = A;

    fn into_response(self) -> A {
        self.unwrap_or_else(|problem| A::failure(problem.into()))
    }
}
