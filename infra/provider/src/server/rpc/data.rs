//! Data sources.

use super::wire::{decode_config, encode_object};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::{
    ReadDataSourceRequest, ReadDataSourceResponse, ValidateConfigRequest, ValidateConfigResponse,
};
use crate::schema::Operation;
use crate::server::{Private, Provider, Server};

impl<P: Provider> Server<P> {
    pub(in crate::server) fn validate_data_resource_config(
        &self,
        request: ValidateConfigRequest,
    ) -> ValidateConfigResponse {
        let mut diagnostics = Diagnostics::default();
        let found = self.registry.data_source(&request.type_name).and_then(|entry| {
            decode_config(request.config.as_ref(), &entry.schema).map(|config| (entry, config))
        });
        if let Some((entry, config)) = diagnostics.take(found) {
            entry.schema.validate(&config, &mut diagnostics);
            entry.item.validate(&config, &mut diagnostics);
        }
        ValidateConfigResponse { diagnostics: diagnostics.into() }
    }

    pub(in crate::server) async fn read_data_source(
        &self,
        request: ReadDataSourceRequest,
    ) -> Result<ReadDataSourceResponse, Diagnostic> {
        let entry = self.registry.data_source(&request.type_name)?;
        let configuration = self.configuration();
        let deferred = configuration.deferred(request.client_capabilities.as_ref());
        if deferred.is_some() {
            return Ok(ReadDataSourceResponse { deferred, ..Default::default() });
        }
        let mut config = decode_config(request.config.as_ref(), &entry.schema)?;
        entry.schema.apply_defaults(&mut config);
        let context = configuration.context(&self.stop, Private::default())?;
        let mut context = context.with_timeout(&config, Operation::Read);
        let result = entry.item.read(&mut context, &config).await;
        let mut diagnostics = context.diagnostics;
        let state = diagnostics.take(result).filter(|_| !diagnostics.has_errors());
        let state = state.map(|state| encode_object(Some(state), &entry.schema)).transpose()?;
        Ok(ReadDataSourceResponse { state, diagnostics: diagnostics.into(), deferred: None })
    }
}
