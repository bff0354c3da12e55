//! Configurations, checked before anything is planned.

use super::wire::decode_config;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::{
    DynamicValue, ValidateConfigRequest, ValidateConfigResponse, ValidateListResourceConfigRequest,
    ValidateProviderConfigRequest, ValidateProviderConfigResponse,
};
use crate::schema::Schema;
use crate::server::{Provider, Server};
use crate::value::Object;

impl<P: Provider> Server<P> {
    pub(in crate::server) fn validate_provider_config(
        &self,
        request: ValidateProviderConfigRequest,
    ) -> Result<ValidateProviderConfigResponse, Diagnostic> {
        let schema = &self.registry.provider;
        let diagnostics = check(schema, request.config.as_ref(), |config, diagnostics| {
            self.provider.validate(config, diagnostics);
        })?;
        Ok(ValidateProviderConfigResponse { diagnostics: diagnostics.into() })
    }

    pub(in crate::server) fn validate_resource_config(
        &self,
        request: ValidateConfigRequest,
    ) -> Result<ValidateConfigResponse, Diagnostic> {
        let entry = self.registry.resource(&request.type_name)?;
        let takes_write_only =
            request.client_capabilities.is_some_and(|client| client.write_only_attributes_allowed);
        let diagnostics = check(&entry.schema, request.config.as_ref(), |config, diagnostics| {
            entry.item.validate(config, diagnostics);
            if !takes_write_only {
                refuse_write_only(&entry.schema, config, diagnostics);
            }
        })?;
        Ok(ValidateConfigResponse { diagnostics: diagnostics.into() })
    }

    pub(in crate::server) fn validate_data_resource_config(
        &self,
        request: ValidateConfigRequest,
    ) -> Result<ValidateConfigResponse, Diagnostic> {
        let entry = self.registry.data_source(&request.type_name)?;
        let diagnostics = check(&entry.schema, request.config.as_ref(), |config, diagnostics| {
            entry.item.validate(config, diagnostics);
        })?;
        Ok(ValidateConfigResponse { diagnostics: diagnostics.into() })
    }

    pub(in crate::server) fn validate_ephemeral_resource_config(
        &self,
        request: ValidateConfigRequest,
    ) -> Result<ValidateConfigResponse, Diagnostic> {
        let entry = self.registry.ephemeral(&request.type_name)?;
        let diagnostics = check(&entry.schema, request.config.as_ref(), |config, diagnostics| {
            entry.item.validate(config, diagnostics);
        })?;
        Ok(ValidateConfigResponse { diagnostics: diagnostics.into() })
    }

    pub(in crate::server) fn validate_list_resource_config(
        &self,
        request: ValidateListResourceConfigRequest,
    ) -> Result<ValidateConfigResponse, Diagnostic> {
        let entry = self.registry.list(&request.type_name)?;
        let diagnostics = check(&entry.schema, request.config.as_ref(), |config, diagnostics| {
            entry.item.validate(config, diagnostics);
        })?;
        Ok(ValidateConfigResponse { diagnostics: diagnostics.into() })
    }
}

/// Checks a configuration against its schema, then by what the kind itself adds.
fn check(
    schema: &Schema,
    config: Option<&DynamicValue>,
    own: impl FnOnce(&Object, &mut Diagnostics),
) -> Result<Diagnostics, Diagnostic> {
    let config = decode_config(config, schema)?;
    let mut diagnostics = Diagnostics::default();
    schema.validate(&config, &mut diagnostics);
    own(&config, &mut diagnostics);
    Ok(diagnostics)
}

/// Before Terraform 1.11, a write-only argument would be stored.
fn refuse_write_only(schema: &Schema, config: &Object, diagnostics: &mut Diagnostics) {
    let write_only = schema.attributes().iter().filter(|attribute| attribute.is_write_only());
    for attribute in write_only.filter(|attribute| !config.get(attribute.name()).is_null()) {
        let detail = "A write-only argument needs Terraform 1.11 or later.";
        diagnostics.push(Diagnostic::error("Terraform is too old", detail).at(attribute.name()));
    }
}
