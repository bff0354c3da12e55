//! `imageshare_vault`: where the backups of accepted full-ECS images go.

use async_trait::async_trait;

use super::support::{failed, text};
use crate::api::{Client, NewVault, Vault as ApiVault};
use crate::diagnostic::Diagnostic;
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
        let Some(state) = &read.state else { return Ok(()) };
        let vault = context.client.vault(&text(state, "vault_id")).await;
        let vault = vault.map_err(|error| failed("The vault could not be read", &error, &[]))?;
        read.state = vault.as_ref().map(state_of);
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Client>, update: &mut Update) -> Result<(), Diagnostic> {
        update.state = put(context.client, &update.plan).await?;
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        let deleted = context.client.delete_vault(&text(&delete.state, "vault_id")).await;
        deleted.map_err(|error| failed("The vault was not removed", &error, &[]))
    }
}

/// Registers or changes the vault that is planned.
async fn put(client: &Client, plan: &Object) -> Result<Object, Diagnostic> {
    let vault = NewVault {
        protection_type: text(plan, "protection_type"),
        capacity_gib: plan.i64("capacity_gib").unwrap_or_default(),
        status: plan.str("status").map(str::to_owned),
    };
    let vault = client.put_vault(&text(plan, "vault_id"), &vault).await;
    vault.map(|vault| state_of(&vault)).map_err(|error| {
        failed(
            "The vault was not registered or changed",
            &error,
            &["capacity_gib", "protection_type", "status"],
        )
    })
}

fn state_of(vault: &ApiVault) -> Object {
    Object::new()
        .with("vault_id", &vault.vault_id)
        .with("protection_type", &vault.protection_type)
        .with("status", &vault.status)
        .with("capacity_gib", vault.capacity_gib)
        .with("reserved_gib", vault.reserved_gib)
        .with("created_at", &vault.created_at)
        .with("updated_at", &vault.updated_at)
}
