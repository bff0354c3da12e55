//! A data source.

use async_trait::async_trait;

use super::Context;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::Schema;
use crate::value::Object;

/// A kind of data source.
#[async_trait]
pub trait DataSource<C: Send + Sync + 'static>: Send + Sync + 'static {
    /// Its name, such as `imageshare_images`.
    fn name(&self) -> &'static str;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration beyond what its schema says. It may have unknown values.
    fn validate(&self, _config: &Object, _diagnostics: &mut Diagnostics) {}

    /// Reads it. The configuration is wholly known and has its defaults; the result contains it.
    ///
    /// # Errors
    /// It cannot be read.
    async fn read(&self, context: &mut Context<'_, C>, config: &Object) -> Result<Object, Diagnostic>;
}
