//! `imageshare_key_grant`: a project may use the key of encrypted images.

use async_trait::async_trait;

use super::support::{failed, id, text};
use crate::api::{Client, KeyGrant as ApiKeyGrant};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Schema};
use crate::server::{Context, Create, Delete, Read, Resource};
use crate::value::Object;

/// The resource `imageshare_key_grant`.
pub struct KeyGrant;

#[async_trait]
impl Resource<Client> for KeyGrant {
    fn name(&self) -> &'static str {
        "imageshare_key_grant"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The permission of a project to use a key of the owner's. An image that is encrypted with the key can then be shared with the project.",
            [
                Attribute::string("key_id", "The key, as images name it in `__system__cmkid`.")
                    .required()
                    .force_new()
                    .check(id()),
                Attribute::string("project_id", "The project that may use it.")
                    .required()
                    .force_new()
                    .check(id()),
                Attribute::string("created_at", "Since when.").computed().keep(),
            ],
        )
    }

    fn identity(&self) -> &'static [&'static str] {
        &["key_id", "project_id"]
    }

    async fn create(&self, context: &mut Context<'_, Client>, create: &mut Create) -> Result<(), Diagnostic> {
        let (key, project) = (text(&create.plan, "key_id"), text(&create.plan, "project_id"));
        let grant = context.client.put_key_grant(&key, &project).await;
        let grant =
            grant.map_err(|error| failed("The key was not granted", &error, &["key_id", "project_id"]))?;
        create.state = Some(state_of(&grant));
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, Client>, read: &mut Read) -> Result<(), Diagnostic> {
        let Some(state) = &read.state else { return Ok(()) };
        let grant = context.client.key_grant(&text(state, "key_id"), &text(state, "project_id")).await;
        let grant = grant.map_err(|error| failed("The key grant could not be read", &error, &[]))?;
        read.state = grant.as_ref().map(state_of);
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        let (key, project) = (text(&delete.state, "key_id"), text(&delete.state, "project_id"));
        let dependents = context.client.delete_key_grant(&key, &project).await;
        let dependents =
            dependents.map_err(|error| failed("The key grant was not withdrawn", &error, &[]))?;
        if !dependents.is_empty() {
            let images: Vec<_> = dependents
                .iter()
                .map(|one| {
                    format!(
                        "{} ({}, {})",
                        one.image_id,
                        one.image_name.as_deref().unwrap_or("no name"),
                        one.status
                    )
                })
                .collect();
            let detail = format!(
                "Images that are encrypted with key {key} stay shared with project {project}: {}. Unshare them if the project must not use them.",
                images.join(", ")
            );
            context.diagnostics.warn("Memberships rely on the withdrawn key grant", detail);
        }
        Ok(())
    }
}

fn state_of(grant: &ApiKeyGrant) -> Object {
    Object::new()
        .with("key_id", &grant.key_id)
        .with("project_id", &grant.project_id)
        .with("created_at", &grant.created_at)
}
