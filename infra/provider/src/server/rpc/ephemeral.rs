//! Ephemeral resources.

use std::time::{SystemTime, UNIX_EPOCH};

use super::wire::{decode_config, encode_object};
use crate::diagnostic::Diagnostic;
use crate::protocol::{
    CloseEphemeralResourceRequest, CloseEphemeralResourceResponse, OpenEphemeralResourceRequest,
    OpenEphemeralResourceResponse, RenewEphemeralResourceRequest, RenewEphemeralResourceResponse, Timestamp,
};
use crate::server::{Private, Provider, Server};

impl<P: Provider> Server<P> {
    pub(in crate::server) async fn open_ephemeral_resource(
        &self,
        request: OpenEphemeralResourceRequest,
    ) -> Result<OpenEphemeralResourceResponse, Diagnostic> {
        let entry = self.registry.ephemeral(&request.type_name)?;
        let configuration = self.configuration();
        let deferred = configuration.deferred(request.client_capabilities.as_ref());
        if deferred.is_some() {
            return Ok(OpenEphemeralResourceResponse { deferred, ..Default::default() });
        }
        let mut config = decode_config(request.config.as_ref(), &entry.schema)?;
        entry.schema.apply_defaults(&mut config);
        let mut context = configuration.context(self.operations(), Private::default())?;
        let opened = entry.item.open(&mut context, &config).await?;
        Ok(OpenEphemeralResourceResponse {
            renew_at: opened.renew_at.map(timestamp),
            result: Some(encode_object(Some(opened.result), &entry.schema)?),
            private: Some(context.private.to_bytes()),
            diagnostics: context.diagnostics.into(),
            deferred: None,
        })
    }

    pub(in crate::server) async fn renew_ephemeral_resource(
        &self,
        request: RenewEphemeralResourceRequest,
    ) -> Result<RenewEphemeralResourceResponse, Diagnostic> {
        let entry = self.registry.ephemeral(&request.type_name)?;
        let configuration = self.configuration();
        let private = Private::from_bytes(&request.private.unwrap_or_default());
        let mut context = configuration.context(self.operations(), private)?;
        let renewed = entry.item.renew(&mut context).await?;
        Ok(RenewEphemeralResourceResponse {
            renew_at: renewed.renew_at.map(timestamp),
            private: Some(context.private.to_bytes()),
            diagnostics: context.diagnostics.into(),
        })
    }

    pub(in crate::server) async fn close_ephemeral_resource(
        &self,
        request: CloseEphemeralResourceRequest,
    ) -> Result<CloseEphemeralResourceResponse, Diagnostic> {
        let entry = self.registry.ephemeral(&request.type_name)?;
        let configuration = self.configuration();
        let private = Private::from_bytes(&request.private.unwrap_or_default());
        let mut context = configuration.context(self.operations(), private)?;
        entry.item.close(&mut context).await?;
        Ok(CloseEphemeralResourceResponse { diagnostics: context.diagnostics.into() })
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = i32::try_from(since.subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos }
}
