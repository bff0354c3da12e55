//! Lists of resources that exist.

use super::wire::{decode_config, encode_object};
use crate::diagnostic::Diagnostic;
use crate::protocol::{Failure, ListResourceEvent, ListResourceRequest};
use crate::server::{ListRequest, Private, Provider, Server};

impl<P: Provider> Server<P> {
    /// The events of a list: one for each resource, then one with what else there is to say.
    pub(in crate::server) async fn list_resource(
        &self,
        request: ListResourceRequest,
    ) -> Vec<ListResourceEvent> {
        self.try_list(request)
            .await
            .unwrap_or_else(|problem| vec![ListResourceEvent::failure(problem.into())])
    }

    async fn try_list(&self, request: ListResourceRequest) -> Result<Vec<ListResourceEvent>, Diagnostic> {
        let entry = self.registry.list(&request.type_name)?;
        let resource = self.registry.resource(&request.type_name)?;
        let mut config = decode_config(request.config.as_ref(), &entry.schema)?;
        entry.schema.apply_defaults(&mut config);
        let include_state = request.include_resource_object;
        let limit = usize::try_from(request.limit).unwrap_or_default();
        let configuration = self.configuration();
        let mut context = configuration.context(self.operations(), Private::default())?;
        let listed = entry.item.list(&mut context, &ListRequest { config, limit, include_state }).await?;
        let mut events = Vec::with_capacity(listed.len() + 1);
        for one in listed.into_iter().take(limit) {
            events.push(ListResourceEvent {
                identity: resource.identity.of(&one.state),
                display_name: one.display_name,
                resource_object: if include_state {
                    Some(encode_object(Some(one.state), &resource.schema)?)
                } else {
                    None
                },
                diagnostic: Vec::new(),
            });
        }
        if context.diagnostics.iter().next().is_some() {
            let diagnostic = context.diagnostics.into();
            events.push(ListResourceEvent { diagnostic, ..Default::default() });
        }
        Ok(events)
    }
}
