//! `data.imageshare_quota`: the limits of the project, and what is used.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::support::failed;
use crate::api::Client;
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Nesting, Schema};
use crate::server::{Context, DataSource};
use crate::value::{Object, Value};

/// The data source `imageshare_quota`.
pub struct Quota;

#[async_trait]
impl DataSource<Client> for Quota {
    fn name(&self) -> &'static str {
        "imageshare_quota"
    }

    fn schema(&self) -> Schema {
        let quota = [
            Attribute::number("used", "How much is used.").computed(),
            Attribute::number("limit", "How much there may be.").computed(),
        ];
        Schema::new("The limits of the project, and what is used of them.", [Attribute::objects(
            "quotas",
            Nesting::Map,
            "The limits: `image`, `image_shared`, `image_member`, `image_member_full_ecs`, `image_pending`, `image_pending_of_owner`.",
            quota,
        )
        .computed()])
    }

    async fn read(&self, context: &mut Context<'_, Client>, config: &Object) -> Result<Object, Diagnostic> {
        let quotas =
            context.client.quotas().await.map_err(|error| failed("The quotas could not be read", &error))?;
        let quotas: BTreeMap<String, Value> = quotas
            .into_iter()
            .map(|one| (one.kind, Object::new().with("used", one.used).with("limit", one.quota).into()))
            .collect();
        Ok(config.clone().with("quotas", Value::Map(quotas)))
    }
}
