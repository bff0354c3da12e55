//! `imageshare_trusted_owner`: an owner whose shares the project accepts or refuses in advance.

use async_trait::async_trait;

use super::support::{failed, id, text};
use crate::api::{Client, OwnerPolicy, Policy};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::{Attribute, Schema, one_of};
use crate::server::{Context, Create, Delete, Read, Resource, Update};
use crate::value::Object;

/// The resource `imageshare_trusted_owner`.
pub struct TrustedOwner;

#[async_trait]
impl Resource<Client> for TrustedOwner {
    fn name(&self) -> &'static str {
        "imageshare_trusted_owner"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "An owner that the project trusts, or blocks. What a trusted owner shares is accepted at once; what a blocked one shares fails. Images that are shared already stay as they are.",
            [
                Attribute::string("project_id", "The owner, a project other than the provider's.")
                    .required()
                    .force_new()
                    .check(id()),
                Attribute::string("policy", "`trusted` or `blocked`.")
                    .default("trusted")
                    .check(one_of(&["trusted", "blocked"])),
                Attribute::string(
                    "vault_id",
                    "The vault into which full-ECS images of a trusted owner are accepted.",
                )
                .check(id()),
                Attribute::string("created_at", "When the policy was set.").computed().keep(),
                Attribute::string("updated_at", "When it was last changed.").computed(),
            ],
        )
    }

    fn identity(&self) -> &'static [&'static str] {
        &["project_id"]
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        if config.str("policy") == Some("blocked") && !config.get("vault_id").is_null() {
            let detail = "Nothing of a blocked owner is accepted into a vault. Leave vault_id out.";
            diagnostics.push(Diagnostic::error("vault_id has no use here", detail).at("vault_id"));
        }
    }

    async fn create(&self, context: &mut Context<'_, Client>, create: &mut Create) -> Result<(), Diagnostic> {
        create.state = Some(put(context.client, &create.plan).await?);
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, Client>, read: &mut Read) -> Result<(), Diagnostic> {
        let Some(state) = &read.state else { return Ok(()) };
        let owner = context.client.owner(&text(state, "project_id")).await;
        let owner =
            owner.map_err(|error| failed("The policy on the owner could not be read", &error, &[]))?;
        read.state = owner.as_ref().map(state_of);
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Client>, update: &mut Update) -> Result<(), Diagnostic> {
        update.state = put(context.client, &update.plan).await?;
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        let deleted = context.client.delete_owner(&text(&delete.state, "project_id")).await;
        deleted.map_err(|error| failed("The policy on the owner was not removed", &error, &[]))
    }
}

/// Sets the policy that is planned.
async fn put(client: &Client, plan: &Object) -> Result<Object, Diagnostic> {
    let policy = if plan.str("policy") == Some("blocked") { Policy::Blocked } else { Policy::Trusted };
    let owner = client.put_owner(&text(plan, "project_id"), policy, plan.str("vault_id")).await;
    owner.map(|owner| state_of(&owner)).map_err(|error| {
        failed("The policy on the owner was not set", &error, &["policy", "vault_id", "project_id"])
    })
}

fn state_of(owner: &OwnerPolicy) -> Object {
    Object::new()
        .with("project_id", &owner.project_id)
        .with("policy", owner.policy.as_str())
        .with("vault_id", owner.vault_id.clone())
        .with("created_at", &owner.created_at)
        .with("updated_at", &owner.updated_at)
}
