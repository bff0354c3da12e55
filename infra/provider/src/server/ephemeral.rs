//! An ephemeral resource: opened while Terraform runs, and stored nowhere.

use std::time::SystemTime;

use async_trait::async_trait;

use super::Context;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::Schema;
use crate::value::Object;

/// A kind of ephemeral resource.
#[async_trait]
pub trait Ephemeral<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Its name, such as `imageshare_token`.
    fn name(&self) -> &'static str;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond what its schema says. It may have unknown values.
    fn validate(&self, _config: &Object, _diagnostics: &mut Diagnostics) {}

    /// Opens it. The configuration is wholly known and has its defaults; the result contains it. What the context keeps as private is
    /// there again when it is renewed and closed.
    ///
    /// # Errors
    /// It cannot be opened.
    async fn open(&self, context: &mut Context<'_, C>, config: &Object) -> Result<Opened, Diagnostic>;

    /// Renews it, if opening it or the last renewal said when.
    ///
    /// # Errors
    /// It cannot be renewed.
    async fn renew(&self, _context: &mut Context<'_, C>) -> Result<Renewed, Diagnostic> {
        Ok(Renewed::default())
    }

    /// Closes it.
    ///
    /// # Errors
    /// It cannot be closed.
    async fn close(&self, _context: &mut Context<'_, C>) -> Result<(), Diagnostic> {
        Ok(())
    }
}

/// An ephemeral resource that was opened.
pub struct Opened {
    /// Its values.
    pub result: Object,
    /// When it has to be renewed, if at all.
    pub renew_at: Option<SystemTime>,
}

/// An ephemeral resource that was renewed.
#[derive(Debug, Default)]
pub struct Renewed {
    /// When it has to be renewed again, if at all.
    pub renew_at: Option<SystemTime>,
}
