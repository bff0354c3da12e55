//! `imageshare_vault`: where the backups of accepted full-ECS images go.

use async_trait::async_trait;
use http::Method;
use serde_json::{Value as Json, json};

use crate::diagnostic::Diagnostic;
use crate::provider::Client;
use crate::schema::{Attribute, Schema, between, length, one_of};
use crate::server::{Context, Create, Delete, Read, Resource, Update};
use crate::value::Object;

/// The resource `imageshare_vault`.
pub struct Vault;

#[async_trait]
impl Resource<Client> for Vault {
    fn name(&self) -> &'static str {
        "imageshare_vault"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "A vault of the project, for the backups of the full-ECS images that it accepts.",
            [
                Attribute::string("vault_id", "The vault, as the backup service knows it.")
                    .required()
                    .force_new()
                    .check(length(1..=64)),
                Attribute::number(
                    "capacity_gib",
                    "Its capacity in GiB. It cannot be less than what is reserved.",
                )
                .required()
                .check(between(1..=10_485_760)),
                Attribute::string(
                    "protection_type",
                    "What it protects. Only a `backup` vault takes full-ECS images.",
                )
                .default("backup")
                .check(one_of(&["backup", "replication", "hybrid"])),
                Attribute::string("status", "Only an `available` vault takes images.")
                    .default("available")
                    .check(one_of(&["available", "lock", "frozen", "deleting", "error"])),
                Attribute::number("reserved_gib", "The capacity that is reserved for accepted images.")
                    .computed()
                    .keep(),
                Attribute::string("created_at", "When it was registered.").computed().keep(),
                Attribute::string("updated_at", "When it was last changed.").computed(),
            ],
        )
    }

    fn identity(&self) -> &'static [&'static str] {
        &["vault_id"]
    }

    async fn create(&self, context: &mut Context<'_, Client>, create: &mut Create) -> Result<(), Diagnostic> {
        create.state = Some(put(context.client, &create.plan).await?);
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, Client>, read: &mut Read) -> Result<(), Diagnostic> {
        if let Some(state) = &read.state {
            read.state = context.client.find(&path(state)).await?.map(|vault| state_of(&vault));
        }
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Client>, update: &mut Update) -> Result<(), Diagnostic> {
        update.state = put(context.client, &update.plan).await?;
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        context.client.send(Method::DELETE, &path(&delete.state), None).await?;
        Ok(())
    }
}

/// Registers or changes the vault that is planned.
async fn put(client: &Client, plan: &Object) -> Result<Object, Diagnostic> {
    let body = json!({
        "capacity_gib": plan.i64("capacity_gib"),
        "protection_type": plan.str("protection_type"),
        "status": plan.str("status"),
    });
    let vault = client.send(Method::PUT, &path(plan), Some(&body)).await?;
    Ok(state_of(&vault))
}

fn path(vault: &Object) -> String {
    format!("/v1/vaults/{}", vault.str("vault_id").unwrap_or_default())
}

fn state_of(response: &Json) -> Object {
    let member = |name: &str| response.get("vault").and_then(|vault| vault.get(name));
    let text = |name: &str| member(name).and_then(Json::as_str);
    let number = |name: &str| member(name).and_then(Json::as_i64);
    Object::new()
        .with("vault_id", text("vault_id"))
        .with("protection_type", text("protection_type"))
        .with("status", text("status"))
        .with("capacity_gib", number("capacity_gib"))
        .with("reserved_gib", number("reserved_gib"))
        .with("created_at", text("created_at"))
        .with("updated_at", text("updated_at"))
}
