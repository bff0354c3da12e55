//! The provider as a whole.

use async_trait::async_trait;

use super::{DataSource, Ephemeral, Function, ListResource, Resource};
use crate::diagnostic::Diagnostics;
use crate::schema::Schema;
use crate::value::Object;

/// What a provider consists of. A name is complete: `imageshare_vault`.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// What the operations work with, once the provider is configured.
    type Client: Send + Sync + 'static;

    /// The address under which users install it: `registry.terraform.io/NAMESPACE/TYPE`.
    fn address(&self) -> &'static str;

    /// The schema of its configuration.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond what its schema says. It may have unknown values, and the environment may add to it later.
    fn validate(&self, _config: &Object, _diagnostics: &mut Diagnostics) {}

    /// Makes the client. The configuration is wholly known; `terraform` is the version of Terraform. Returns `None` if something is
    /// missing or refused, with an error at each attribute at fault.
    async fn configure(
        &self,
        config: &Object,
        terraform: &str,
        diagnostics: &mut Diagnostics,
    ) -> Option<Self::Client>;

    /// Its resources.
    fn resources(&self) -> Vec<Box<dyn Resource<Self::Client>>>;

    /// Its data sources.
    fn data_sources(&self) -> Vec<Box<dyn DataSource<Self::Client>>> {
        Vec::new()
    }

    /// Its ephemeral resources.
    fn ephemerals(&self) -> Vec<Box<dyn Ephemeral<Self::Client>>> {
        Vec::new()
    }

    /// Its functions.
    fn functions(&self) -> Vec<Box<dyn Function>> {
        Vec::new()
    }

    /// Its lists of resources that exist. Each has the name of a resource.
    fn list_resources(&self) -> Vec<Box<dyn ListResource<Self::Client>>> {
        Vec::new()
    }
}
