//! Data sources.

use super::wire::{decode_config, encode_object};
use crate::diagnostic::Diagnostic;
use crate::protocol::{ReadDataSourceRequest, ReadDataSourceResponse};
use crate::schema::Operation;
use crate::server::{Private, Provider, Server};

impl<P: Provider> Server<P> {
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
        let context = configuration.context(self.operations(), Private::default())?;
        let mut context = context.with_timeout(&config, Operation::Read);
        let result = entry.item.read(&mut context, &config).await;
        let mut diagnostics = context.diagnostics;
        let state = diagnostics.take(result).filter(|_| !diagnostics.has_errors());
        let state = state.map(|state| encode_object(Some(state), &entry.schema)).transpose()?;
        Ok(ReadDataSourceResponse { state, diagnostics: diagnostics.into(), deferred: None })
    }
}
