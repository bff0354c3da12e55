//! A list of resources that exist, for `terraform query` (Terraform 1.14).

use async_trait::async_trait;

use super::Context;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::Schema;
use crate::value::Object;

/// A list of the resources of a kind.
#[async_trait]
pub trait ListResource<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// The name of the kind, such as `imageshare_vault`.
    fn name(&self) -> &'static str;

    /// The schema of the list's configuration.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond what its schema says. It may have unknown values.
    fn validate(&self, _config: &Object, _diagnostics: &mut Diagnostics) {}

    /// Lists them, at most as many as requested.
    ///
    /// # Errors
    /// They cannot be listed.
    async fn list(
        &self,
        context: &mut Context<'_, C>,
        request: &ListRequest,
    ) -> Result<Vec<Listed>, Diagnostic>;
}

/// What is to be listed.
pub struct ListRequest {
    /// The configuration, wholly known and with its defaults.
    pub config: Object,
    /// How many at most.
    pub limit: usize,
    /// Whether the whole state of each is wanted, or only its identity.
    pub include_state: bool,
}

/// A resource in a list.
pub struct Listed {
    /// What a person calls it.
    pub display_name: String,
    /// Its state; at least the attributes of its identity.
    pub state: Object,
}
