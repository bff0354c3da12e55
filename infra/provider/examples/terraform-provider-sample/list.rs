//! The things that are in the store.

use std::fs;

use async_trait::async_trait;
use imageshare_provider::diagnostic::Diagnostic;
use imageshare_provider::schema::{Attribute, Schema};
use imageshare_provider::server::{Context, ListRequest, ListResource, Listed};
use imageshare_provider::value::Object;

use crate::Store;

/// The list of `sample_thing`.
pub struct Things;

#[async_trait]
impl ListResource<Store> for Things {
    fn name(&self) -> &'static str {
        "sample_thing"
    }

    fn schema(&self) -> Schema {
        Schema::new("Things.", [Attribute::string("prefix", "How their names begin.").default("")])
    }

    async fn list(
        &self,
        context: &mut Context<'_, Store>,
        request: &ListRequest,
    ) -> Result<Vec<Listed>, Diagnostic> {
        let entries = fs::read_dir(context.client.path(""))
            .map_err(|problem| Diagnostic::error("No store", problem.to_string()))?;
        let mut names: Vec<_> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.retain(|name| name.starts_with(request.config.str("prefix").unwrap_or_default()));
        names.sort();
        let listed = names.into_iter().map(|name| Listed {
            display_name: format!("the thing {name}"),
            state: Object::new()
                .with("path", context.client.path(&name).to_str())
                .with("mode", "soft")
                .with(
                    "revision",
                    fs::read_to_string(context.client.path(&name))
                        .ok()
                        .and_then(|text| text.parse::<i64>().ok()),
                )
                .with("name", name),
        });
        Ok(listed.collect())
    }
}
