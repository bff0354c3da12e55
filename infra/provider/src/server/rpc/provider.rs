//! What concerns the provider as a whole: its schemas, its configuration, its end.

use std::collections::BTreeMap;

use super::wire::decode_config;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::{
    ClientCapabilities, ConfigureProviderRequest, ConfigureProviderResponse, Deferred, DeferredReason, Empty,
    FunctionName, GetMetadataResponse, GetProviderSchemaResponse, GetResourceIdentitySchemasResponse, Schema,
    ServerCapabilities, StopProviderResponse, TypeName,
};
use crate::server::registry::Entry;
use crate::server::{CancellationToken, Configuration, Context, Private, Provider, Server};

/// What this server can do beyond the protocol's minimum.
const CAPABILITIES: ServerCapabilities = ServerCapabilities {
    // A deletion needs no plan of ours.
    plan_destroy: false,
    // Terraform starts a provider three times for a plan, and asks for the schemas only once.
    get_provider_schema_optional: true,
    move_resource_state: true,
};

impl<P: Provider> Server<P> {
    pub(in crate::server) fn get_metadata(&self, _: Empty) -> GetMetadataResponse {
        fn names<'a>(names: impl Iterator<Item = &'a &'static str>) -> Vec<TypeName> {
            names.map(|name| TypeName { type_name: (*name).to_owned() }).collect()
        }
        let registry = &self.registry;
        GetMetadataResponse {
            server_capabilities: Some(CAPABILITIES),
            resources: names(registry.resources.keys()),
            data_sources: names(registry.data_sources.keys()),
            ephemeral_resources: names(registry.ephemerals.keys()),
            list_resources: names(registry.lists.keys()),
            functions: registry
                .functions
                .keys()
                .map(|name| FunctionName { name: (*name).to_owned() })
                .collect(),
            diagnostics: Vec::new(),
        }
    }

    pub(in crate::server) fn get_provider_schema(&self, _: Empty) -> GetProviderSchemaResponse {
        fn schemas<T: ?Sized>(entries: &BTreeMap<&'static str, Entry<T>>) -> BTreeMap<String, Schema> {
            entries.iter().map(|(name, entry)| ((*name).to_owned(), (&entry.schema).into())).collect()
        }
        let registry = &self.registry;
        let resources = registry.resources.iter();
        GetProviderSchemaResponse {
            provider: Some((&registry.provider).into()),
            resource_schemas: resources
                .map(|(name, entry)| ((*name).to_owned(), (&entry.schema).into()))
                .collect(),
            data_source_schemas: schemas(&registry.data_sources),
            ephemeral_resource_schemas: schemas(&registry.ephemerals),
            list_resource_schemas: schemas(&registry.lists),
            functions: self.function_definitions(),
            server_capabilities: Some(CAPABILITIES),
            provider_meta: None,
            diagnostics: Vec::new(),
        }
    }

    pub(in crate::server) fn get_resource_identity_schemas(
        &self,
        _: Empty,
    ) -> GetResourceIdentitySchemasResponse {
        let resources = self.registry.resources.iter();
        let schemas = resources.map(|(name, entry)| ((*name).to_owned(), entry.identity.schema()));
        GetResourceIdentitySchemasResponse { identity_schemas: schemas.collect(), diagnostics: Vec::new() }
    }

    pub(in crate::server) async fn configure_provider(
        &self,
        request: ConfigureProviderRequest,
    ) -> ConfigureProviderResponse {
        let mut diagnostics = Diagnostics::default();
        let config = diagnostics.take(decode_config(request.config.as_ref(), &self.registry.provider));
        if let Some(mut config) = config {
            if config.has_unknown() {
                self.set_configuration(Configuration::Unknown);
            } else {
                self.registry.provider.apply_defaults(&mut config);
                let version = &request.terraform_version;
                let client = self.provider.configure(&config, version, &mut diagnostics).await;
                if let Some(client) = client.filter(|_| !diagnostics.has_errors()) {
                    self.set_configuration(Configuration::Ready(client.into()));
                }
            }
        }
        ConfigureProviderResponse { diagnostics: diagnostics.into() }
    }

    pub(in crate::server) fn stop_provider(&self, _: Empty) -> StopProviderResponse {
        self.stop_operations();
        StopProviderResponse::default()
    }
}

impl<C> Configuration<C> {
    /// The context of an operation.
    ///
    /// # Errors
    /// The provider is not configured.
    pub(super) fn context(
        &self,
        stop: CancellationToken,
        private: Private,
    ) -> Result<Context<'_, C>, Diagnostic> {
        match self {
            Self::Ready(client) => Ok(Context::new(client, stop, private)),
            Self::Missing => Err(Diagnostic::error(
                "The provider is not configured",
                "Terraform has not sent a configuration that the provider accepted.",
            )),
            Self::Unknown => Err(Diagnostic::error(
                "The provider's configuration is not known yet",
                "It depends on what is known only after an apply. Apply that first, with -target, or set it to a fixed value.",
            )),
        }
    }

    /// Whether nothing can be done before an apply has made the configuration known.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// Puts an operation off, if the configuration is unknown and Terraform allows that.
    pub(super) fn deferred(&self, client: Option<&ClientCapabilities>) -> Option<Deferred> {
        let is_allowed = client.is_some_and(|client| client.deferral_allowed);
        let reason = DeferredReason::ProviderConfigUnknown.into();
        (self.is_unknown() && is_allowed).then_some(Deferred { reason })
    }
}
