//! The life of a resource: read, plan, apply.

use super::wire::{decode_config, decode_object, encode_object};
use crate::diagnostic::{Diagnostic, Diagnostics, wire_path};
use crate::plan;
use crate::protocol::{
    ApplyResourceChangeRequest, ApplyResourceChangeResponse, Failure, PlanResourceChangeRequest,
    PlanResourceChangeResponse, ReadResourceRequest, ReadResourceResponse,
};
use crate::schema::Operation;
use crate::server::registry::ResourceEntry;
use crate::server::{Create, Delete, Plan, Private, Provider, Read, Server, Update};
use crate::value::Object;

impl<P: Provider> Server<P> {
    pub(in crate::server) async fn read_resource(
        &self,
        request: ReadResourceRequest,
    ) -> Result<ReadResourceResponse, Diagnostic> {
        let configuration = self.configuration();
        if configuration.is_unknown() {
            // What is stored stays as it is until it can be read.
            return Ok(ReadResourceResponse {
                deferred: configuration.deferred(request.client_capabilities.as_ref()),
                new_state: request.current_state,
                new_identity: request.current_identity,
                private: request.private,
                diagnostics: Vec::new(),
            });
        }
        let entry = self.registry.resource(&request.type_name)?;
        let Some(state) = decode_object(request.current_state.as_ref(), &entry.schema)? else {
            return Ok(ReadResourceResponse { new_state: request.current_state, ..Default::default() });
        };
        let context = configuration.context(self.operations(), Private::from_bytes(&request.private))?;
        let mut context = context.with_timeout(&state, Operation::Read);
        let mut read = Read { state: Some(state), is_import: false };
        let result = entry.item.read(&mut context, &mut read).await;
        let mut diagnostics = context.diagnostics;
        if diagnostics.take(result).is_none() || diagnostics.has_errors() {
            // Terraform keeps what it has.
            return Ok(ReadResourceResponse {
                new_state: request.current_state,
                new_identity: request.current_identity,
                private: request.private,
                diagnostics: diagnostics.into(),
                deferred: None,
            });
        }
        let state = read.state.map(|state| known_state(entry, state, &mut diagnostics));
        Ok(ReadResourceResponse {
            new_identity: state
                .as_ref()
                .and_then(|state| entry.identity.of(state))
                .or(request.current_identity),
            new_state: Some(encode_object(state, &entry.schema)?),
            private: context.private.to_bytes(),
            diagnostics: diagnostics.into(),
            deferred: None,
        })
    }

    pub(in crate::server) async fn plan_resource_change(
        &self,
        request: PlanResourceChangeRequest,
    ) -> Result<PlanResourceChangeResponse, Diagnostic> {
        let entry = self.registry.resource(&request.type_name)?;
        let prior = decode_object(request.prior_state.as_ref(), &entry.schema)?;
        let Some(proposed) = decode_object(request.proposed_new_state.as_ref(), &entry.schema)? else {
            // A deletion.
            return Ok(PlanResourceChangeResponse {
                planned_state: request.proposed_new_state,
                planned_private: request.prior_private,
                planned_identity: request.prior_identity,
                ..Default::default()
            });
        };
        let config = decode_config(request.config.as_ref(), &entry.schema)?;
        let planned = plan::plan(&entry.schema, prior.as_ref(), &proposed, &config);
        let mut change =
            Plan { config: &config, prior: prior.as_ref(), state: planned.state, replace: planned.replace };
        let configuration = self.configuration();
        let mut private = Private::from_bytes(&request.prior_private);
        let mut diagnostics = Diagnostics::default();
        if !configuration.is_unknown() {
            let mut context = configuration.context(self.operations(), private)?;
            let result = entry.item.plan(&mut context, &mut change).await;
            diagnostics = context.diagnostics;
            diagnostics.take(result);
            private = context.private;
        }
        Ok(PlanResourceChangeResponse {
            planned_identity: entry.identity.of(&change.state).or(request.prior_identity),
            requires_replace: change.replace.iter().map(wire_path).collect(),
            planned_state: Some(encode_object(Some(change.state), &entry.schema)?),
            planned_private: private.to_bytes(),
            diagnostics: diagnostics.into(),
            deferred: configuration.deferred(request.client_capabilities.as_ref()),
            legacy_type_system: false,
        })
    }

    pub(in crate::server) async fn apply_resource_change(
        &self,
        request: ApplyResourceChangeRequest,
    ) -> ApplyResourceChangeResponse {
        let prior = request.prior_state.clone();
        self.try_apply(request).await.unwrap_or_else(|problem| ApplyResourceChangeResponse {
            // Nothing was done.
            new_state: prior,
            ..ApplyResourceChangeResponse::failure(problem.into())
        })
    }

    async fn try_apply(
        &self,
        request: ApplyResourceChangeRequest,
    ) -> Result<ApplyResourceChangeResponse, Diagnostic> {
        let entry = self.registry.resource(&request.type_name)?;
        let prior = decode_object(request.prior_state.as_ref(), &entry.schema)?;
        let plan = decode_object(request.planned_state.as_ref(), &entry.schema)?;
        let config = decode_config(request.config.as_ref(), &entry.schema)?;
        let configuration = self.configuration();
        let mut context =
            configuration.context(self.operations(), Private::from_bytes(&request.planned_private))?;
        let (state, result) = match (prior, plan) {
            (None, None) => (None, Ok(())),
            (None, Some(plan)) => {
                context = context.with_timeout(&plan, Operation::Create);
                let mut create = Create { config, plan, state: None };
                let result = entry.item.create(&mut context, &mut create).await;
                if result.is_ok() && create.state.is_none() && !context.diagnostics.has_errors() {
                    context
                        .diagnostics
                        .error("Nothing was created", "This is a bug in the provider; please report it.");
                }
                (create.state, result)
            }
            (Some(prior), Some(plan)) if plan::is_local(&entry.schema, &prior, &plan) => (Some(plan), Ok(())),
            (Some(prior), Some(plan)) => {
                context = context.with_timeout(&plan, Operation::Update);
                let mut update = Update { config, plan, state: prior.clone(), prior };
                let result = entry.item.update(&mut context, &mut update).await;
                (Some(update.state), result)
            }
            (Some(prior), None) => {
                context = context.with_timeout(&prior, Operation::Delete);
                let mut delete = Delete { state: prior };
                let result = entry.item.delete(&mut context, &mut delete).await;
                let is_deleted = result.is_ok() && !context.diagnostics.has_errors();
                ((!is_deleted).then_some(delete.state), result)
            }
        };
        let mut diagnostics = context.diagnostics;
        diagnostics.take(result);
        let state = state.map(|state| known_state(entry, state, &mut diagnostics));
        Ok(ApplyResourceChangeResponse {
            new_identity: state.as_ref().and_then(|state| entry.identity.of(state)),
            new_state: Some(encode_object(state, &entry.schema)?),
            private: context.private.to_bytes(),
            diagnostics: diagnostics.into(),
            legacy_type_system: false,
        })
    }
}

/// The state that is stored. What is not known is null in it, which is an error unless there is one already, and so is a state
/// without its identity.
pub(super) fn known_state<C: Send + Sync + 'static>(
    entry: &ResourceEntry<C>,
    state: Object,
    diagnostics: &mut Diagnostics,
) -> Object {
    let (state, unknown) = plan::storable(&entry.schema, state);
    if !diagnostics.has_errors() {
        for name in unknown.into_iter().chain(entry.identity.missing(&state)) {
            let detail = "It is unknown or missing after the operation. This is a bug in the provider; please report it.";
            diagnostics.push(Diagnostic::error("The provider has not set an attribute", detail).at(name));
        }
    }
    state
}
