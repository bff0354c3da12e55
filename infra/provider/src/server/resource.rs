//! A managed resource.

use async_trait::async_trait;

use super::{Context, Create, Delete, Moved, Plan, Read, Update};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::Schema;
use crate::value::{Object, RawState};

/// A kind of resource.
///
/// An operation gets decoded values, and leaves what exists in the `state` of its argument, whether it succeeds or fails. It
/// returns the error that ended it; further ones and warnings go to the context.
#[async_trait]
pub trait Resource<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Its name, such as `imageshare_vault`.
    fn name(&self) -> &'static str;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// The attributes that identify one, texts or sets of texts. They are its identity, and the values of texts with a `/` in between
    /// are the id to import it by. If it is `id` alone, an import by identity is one by that id.
    fn identity(&self) -> &'static [&'static str];

    /// Checks a configuration beyond what its schema says. It may have unknown values.
    fn validate(&self, _config: &Object, _diagnostics: &mut Diagnostics) {}

    /// Refines a plan. It is not called for a deletion, and not while the configuration of the provider is unknown.
    async fn plan(&self, _context: &mut Context<'_, C>, _plan: &mut Plan<'_>) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// Creates it.
    async fn create(&self, context: &mut Context<'_, C>, create: &mut Create) -> Result<(), Diagnostic>;

    /// Reads it. That it does not exist is no error.
    async fn read(&self, context: &mut Context<'_, C>, read: &mut Read) -> Result<(), Diagnostic>;

    /// Updates it in place. It is not called if only local attributes change. A resource all of whose arguments force a new one has
    /// no need of it.
    async fn update(&self, _context: &mut Context<'_, C>, _update: &mut Update) -> Result<(), Diagnostic> {
        Err(Diagnostic::error(
            "The resource cannot be updated",
            "This is a bug in the provider; please report it.",
        ))
    }

    /// Deletes it. That it does not exist is no error.
    async fn delete(&self, context: &mut Context<'_, C>, delete: &mut Delete) -> Result<(), Diagnostic>;

    /// Reads the id of an import, as the identity's attributes.
    ///
    /// # Errors
    /// The id is not of the form; the message says what was expected.
    fn parse_import_id(&self, id: &str) -> Result<Object, String> {
        let names = self.identity();
        let parts: Vec<_> = id.splitn(names.len().max(1), '/').collect();
        if parts.len() == names.len() && parts.iter().all(|part| !part.is_empty()) {
            return Ok(names.iter().copied().zip(parts).collect());
        }
        let form: Vec<_> = names.iter().map(|name| format!("<{name}>")).collect();
        Err(format!("Expected {}, found {id:?}.", form.join("/")))
    }

    /// Rewrites a stored state of an earlier version of the schema. Attributes that the schema no longer has are dropped afterwards,
    /// and new ones are null, so most changes need nothing here.
    ///
    /// # Errors
    /// The state cannot be rewritten.
    fn upgrade(&self, _version: i64, _state: &mut RawState) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// Takes over a resource of another kind, perhaps of another provider, at a `moved` block. Returns the attributes that the state
    /// begins with, which is read afterwards; `None` if that kind is not known.
    fn adopt(&self, _moved: &Moved) -> Option<Result<Object, Diagnostic>> {
        None
    }
}
