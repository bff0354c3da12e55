//! `data.imageshare_tenant`: a project by the names in the directory.

use async_trait::async_trait;

use super::support::failed;
use crate::api::{AccountName, Client};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Schema, length};
use crate::server::{Context, DataSource};
use crate::value::Object;

/// The data source `imageshare_tenant`.
pub struct Tenant;

#[async_trait]
impl DataSource<Client> for Tenant {
    fn name(&self) -> &'static str {
        "imageshare_tenant"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The project of an account, by their exact names in the directory.",
            [
                Attribute::string("account", "The name of the account.").required().check(length(1..=64)),
                Attribute::string(
                    "project",
                    "The name of the project. It can be left out if the account has only one in this region.",
                )
                .optional_computed()
                .check(length(1..=64)),
                Attribute::string("project_id", "The project.").computed(),
                Attribute::string("region", "Its region.").computed(),
            ],
        )
    }

    async fn read(&self, context: &mut Context<'_, Client>, config: &Object) -> Result<Object, Diagnostic> {
        let name = AccountName {
            name: config.str("account").unwrap_or_default().to_owned(),
            project: config.str("project").map(str::to_owned),
        };
        let found = context.client.find_tenant(&name).await;
        let found = found.map_err(|error| failed("The account is not known", &error).at("account"))?;
        let tenant = found.ok_or_else(|| {
            let project = name
                .project
                .as_ref()
                .map(|project| format!(" with a project {project:?}"))
                .unwrap_or_default();
            let detail = format!(
                "The directory has no account {:?}{project} in this region. Case matters.",
                name.name
            );
            Diagnostic::error("The account is not known", detail).at("account")
        })?;
        Ok(config
            .clone()
            .with("project", tenant.project)
            .with("project_id", tenant.project_id)
            .with("region", tenant.region))
    }
}
