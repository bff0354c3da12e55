//! Imports: the identity is parsed, then the resource is read, so that an imported state is what a creation leaves.

use super::resource::known_state;
use super::wire::{encode_object, parse_state, unreadable};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::protocol::{
    ImportResourceStateRequest, ImportResourceStateResponse, ImportedResource, MoveResourceStateRequest,
    MoveResourceStateResponse,
};
use crate::server::{Moved, Private, Provider, Read, Server};

impl<P: Provider> Server<P> {
    pub(in crate::server) async fn import_resource_state(
        &self,
        request: ImportResourceStateRequest,
    ) -> Result<ImportResourceStateResponse, Diagnostic> {
        let entry = self.registry.resource(&request.type_name)?;
        let configuration = self.configuration();
        let deferred = configuration.deferred(request.client_capabilities.as_ref());
        if deferred.is_some() {
            return Ok(ImportResourceStateResponse { deferred, ..Default::default() });
        }
        let identity =
            entry.identity.decode(request.identity.as_ref()).map_err(|problem| unreadable(&problem))?;
        let id = match (&identity, entry.item.identity()) {
            (Some(identity), ["id"]) => identity.str("id"),
            (Some(_), _) => None,
            (None, _) => Some(request.id.as_str()),
        };
        let identity = match id {
            None => identity.unwrap_or_default(),
            Some(id) => entry.item.parse_import_id(id).map_err(|expected| {
                Diagnostic::error("The id of the import is not of the right form", expected)
            })?,
        };
        let mut context = configuration.context(self.operations(), Private::default())?;
        let mut read = Read { state: Some(identity), is_import: true };
        entry.item.read(&mut context, &mut read).await?;
        let mut diagnostics = context.diagnostics;
        let Some(mut state) = read.state.filter(|_| !diagnostics.has_errors()) else {
            if !diagnostics.has_errors() {
                let what = if request.id.is_empty() { "this identity" } else { request.id.as_str() };
                let detail =
                    format!("There is no {} with {what}, or this caller cannot see it.", request.type_name);
                diagnostics.error("What is to be imported does not exist", detail);
            }
            return Ok(ImportResourceStateResponse { diagnostics: diagnostics.into(), ..Default::default() });
        };
        // The service does not know what concerns the provider only.
        entry.schema.apply_defaults(&mut state);
        let state = known_state(entry, state, &mut diagnostics);
        let imported = ImportedResource {
            type_name: request.type_name,
            identity: entry.identity.of(&state),
            state: Some(encode_object(Some(state), &entry.schema)?),
            private: context.private.to_bytes(),
        };
        Ok(ImportResourceStateResponse {
            imported_resources: vec![imported],
            diagnostics: diagnostics.into(),
            deferred: None,
        })
    }

    /// Terraform reads the resource afterwards, so the provider need not be configured here.
    pub(in crate::server) fn move_resource_state(
        &self,
        request: MoveResourceStateRequest,
    ) -> Result<MoveResourceStateResponse, Diagnostic> {
        let entry = self.registry.resource(&request.target_type_name)?;
        let moved = Moved {
            state: parse_state(request.source_state.as_ref())?,
            provider: request.source_provider_address,
            type_name: request.source_type_name,
            version: request.source_schema_version,
        };
        let mut adopted = entry.item.adopt(&moved).unwrap_or_else(|| {
            let detail = format!(
                "A {} of {} cannot become a {}. Import it instead, and remove the other with a removed block.",
                moved.type_name, moved.provider, request.target_type_name
            );
            Err(Diagnostic::error("This move is not supported", detail))
        })?;
        entry.schema.apply_defaults(&mut adopted);
        let mut diagnostics = Diagnostics::default();
        let state = known_state(entry, adopted, &mut diagnostics);
        Ok(MoveResourceStateResponse {
            target_identity: entry.identity.of(&state),
            target_state: Some(encode_object(Some(state), &entry.schema)?),
            diagnostics: diagnostics.into(),
            target_private: Vec::new(),
        })
    }
}
