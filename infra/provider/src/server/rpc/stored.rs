//! Stored states and identities, which an earlier version of the provider may have written.

use super::wire::{encode, encode_object, parse_state, unreadable};
use crate::diagnostic::Diagnostic;
use crate::protocol::{
    ResourceIdentityData, UpgradeResourceIdentityRequest, UpgradeResourceIdentityResponse,
    UpgradeResourceStateRequest, UpgradeResourceStateResponse,
};
use crate::server::{Provider, Server};
use crate::value::decode_state;

impl<P: Provider> Server<P> {
    pub(in crate::server) fn upgrade_resource_state(
        &self,
        request: UpgradeResourceStateRequest,
    ) -> Result<UpgradeResourceStateResponse, Diagnostic> {
        let entry = self.registry.resource(&request.type_name)?;
        let mut raw = parse_state(request.raw_state.as_ref())?;
        // Terraform itself refuses a state of a later version.
        if request.version < entry.schema.version {
            entry.item.upgrade(request.version, &mut raw)?;
        }
        let state = decode_state(&raw, entry.schema.ty()).map_err(|problem| {
            Diagnostic::error(
                "The stored state cannot be read",
                format!("{problem}. It may have been edited."),
            )
        })?;
        Ok(UpgradeResourceStateResponse {
            upgraded_state: Some(encode_object(Some(state), &entry.schema)?),
            diagnostics: Vec::new(),
        })
    }

    pub(in crate::server) fn upgrade_resource_identity(
        &self,
        request: UpgradeResourceIdentityRequest,
    ) -> Result<UpgradeResourceIdentityResponse, Diagnostic> {
        let entry = self.registry.resource(&request.type_name)?;
        let raw = parse_state(request.raw_identity.as_ref())?;
        let identity = decode_state(&raw, entry.identity.ty()).map_err(|problem| unreadable(&problem))?;
        let data = encode(&identity.into(), entry.identity.ty())?;
        Ok(UpgradeResourceIdentityResponse {
            upgraded_identity: Some(ResourceIdentityData { identity_data: Some(data) }),
            diagnostics: Vec::new(),
        })
    }
}
