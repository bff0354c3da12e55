//! What a provider consists of, by name, with the schemas made once.

use std::collections::BTreeMap;

use super::identity::Identity;
use super::{DataSource, Ephemeral, Function, ListResource, Provider, Resource};
use crate::diagnostic::Diagnostic;
use crate::schema::Schema;

/// A thing with its schema.
pub(super) struct Entry<T: ?Sized> {
    pub(super) schema: Schema,
    pub(super) item: Box<T>,
}

/// A resource with its schema and its identity.
pub(super) struct ResourceEntry<C> {
    pub(super) schema: Schema,
    pub(super) identity: Identity,
    pub(super) item: Box<dyn Resource<C>>,
}

type Entries<T> = BTreeMap<&'static str, Entry<T>>;

/// All of it.
pub(super) struct Registry<C> {
    pub(super) provider: Schema,
    pub(super) resources: BTreeMap<&'static str, ResourceEntry<C>>,
    pub(super) data_sources: Entries<dyn DataSource<C>>,
    pub(super) ephemerals: Entries<dyn Ephemeral<C>>,
    pub(super) lists: Entries<dyn ListResource<C>>,
    pub(super) functions: BTreeMap<&'static str, Box<dyn Function>>,
}

impl<C: Send + Sync + 'static> Registry<C> {
    pub(super) fn new(provider: &impl Provider<Client = C>) -> Self {
        let resources = provider.resources().into_iter().map(|item| {
            let schema = item.schema();
            let identity = Identity::new(item.identity(), &schema);
            (item.name(), ResourceEntry { schema, identity, item })
        });
        let data_sources = provider.data_sources().into_iter();
        let ephemerals = provider.ephemerals().into_iter();
        let lists = provider.list_resources().into_iter();
        Self {
            provider: provider.schema(),
            resources: resources.collect(),
            data_sources: data_sources
                .map(|item| (item.name(), Entry { schema: item.schema(), item }))
                .collect(),
            ephemerals: ephemerals.map(|item| (item.name(), Entry { schema: item.schema(), item })).collect(),
            lists: lists.map(|item| (item.name(), Entry { schema: item.schema(), item })).collect(),
            functions: provider.functions().into_iter().map(|item| (item.name(), item)).collect(),
        }
    }

    pub(super) fn resource(&self, name: &str) -> Result<&ResourceEntry<C>, Diagnostic> {
        self.resources.get(name).ok_or_else(|| unknown("resource", name))
    }

    pub(super) fn data_source(&self, name: &str) -> Result<&Entry<dyn DataSource<C>>, Diagnostic> {
        self.data_sources.get(name).ok_or_else(|| unknown("data source", name))
    }

    pub(super) fn ephemeral(&self, name: &str) -> Result<&Entry<dyn Ephemeral<C>>, Diagnostic> {
        self.ephemerals.get(name).ok_or_else(|| unknown("ephemeral resource", name))
    }

    pub(super) fn list(&self, name: &str) -> Result<&Entry<dyn ListResource<C>>, Diagnostic> {
        self.lists.get(name).ok_or_else(|| unknown("list resource", name))
    }
}

fn unknown(kind: &str, name: &str) -> Diagnostic {
    Diagnostic::error(
        format!("Unknown {kind}"),
        format!("This version of the provider has no {kind} {name:?}."),
    )
}
