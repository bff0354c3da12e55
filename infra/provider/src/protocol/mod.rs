//! The messages of Terraform's plugin protocol, version 6.10, written from its published field names and numbers.
//!
//! Those of procedures that this provider does not have (state stores, actions) are left out; such calls are answered
//! `unimplemented`. A test decodes bytes that Terraform has sent.
#![expect(missing_docs, reason = "the protocol's documentation says what each field is")]

mod common;
mod data;
mod ephemeral;
mod function;
mod list;
mod provider;
mod resource;
mod schema;

pub use common::*;
pub use data::*;
pub use ephemeral::*;
pub use function::*;
pub use list::*;
pub use provider::*;
pub use resource::*;
pub use schema::*;

/// A response that can report a failure to the user: whatever happens in the provider, Terraform gets a response of the right kind.
pub trait Failure {
    /// The response that says nothing but this.
    fn failure(diagnostic: Diagnostic) -> Self;
}

macro_rules! report_in_diagnostics {
    ($($response:ident),* $(,)?) => {$(
        impl Failure for $response {
            fn failure(diagnostic: Diagnostic) -> Self {
                let mut response = Self::default();
                response.diagnostics.push(diagnostic);
                response
            }
        }
    )*};
}
report_in_diagnostics!(
    ApplyResourceChangeResponse,
    CloseEphemeralResourceResponse,
    ConfigureProviderResponse,
    GetFunctionsResponse,
    GetMetadataResponse,
    GetProviderSchemaResponse,
    GetResourceIdentitySchemasResponse,
    ImportResourceStateResponse,
    MoveResourceStateResponse,
    OpenEphemeralResourceResponse,
    PlanResourceChangeResponse,
    ReadDataSourceResponse,
    ReadResourceResponse,
    RenewEphemeralResourceResponse,
    UpgradeResourceIdentityResponse,
    UpgradeResourceStateResponse,
    ValidateConfigResponse,
    ValidateProviderConfigResponse,
);

impl Failure for CallFunctionResponse {
    fn failure(diagnostic: Diagnostic) -> Self {
        let text = format!("{}: {}", diagnostic.summary, diagnostic.detail);
        Self { error: Some(FunctionError { text, function_argument: None }), ..Self::default() }
    }
}

impl Failure for ListResourceEvent {
    fn failure(diagnostic: Diagnostic) -> Self {
        Self { diagnostic: vec![diagnostic], ..Self::default() }
    }
}

impl Failure for StopProviderResponse {
    fn failure(diagnostic: Diagnostic) -> Self {
        Self { error: diagnostic.summary }
    }
}
