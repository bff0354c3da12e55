//! `imageshare_tenant`: a project's entry in the directory.

use async_trait::async_trait;

use super::support::{failed, id, text};
use crate::api::{Client, NewTenant, Tenant as ApiTenant};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Schema, Validator, length};
use crate::server::{Context, Create, Delete, Read, Resource, Update};
use crate::value::Object;

/// The resource `imageshare_tenant`.
pub struct Tenant;

/// The attributes that the service names as this provider does.
const ATTRIBUTES: [&str; 5] = ["account", "project", "region", "organization", "cloud_account"];

#[async_trait]
impl Resource<Client> for Tenant {
    fn name(&self) -> &'static str {
        "imageshare_tenant"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The directory entry of a project: its names, and what it belongs to. Only an admin has this resource.",
            [
                Attribute::string("project_id", "The project.").required().force_new().check(id()),
                Attribute::string("account", "The name of its account.").required().check(length(1..=64)),
                Attribute::string(
                    "project",
                    "Its own name. Both names together belong to one project, in all regions.",
                )
                .required()
                .check(length(1..=64)),
                Attribute::string("region", "Its region; that of the service, if it is left out.")
                    .optional_computed()
                    .keep()
                    .check(id()),
                Attribute::string(
                    "organization",
                    "The organization that it belongs to, whose members a share rule can reach.",
                )
                .check(id()),
                Attribute::string("cloud_account", "The account at AWS that it is bound to: 12 digits.")
                    .check(twelve_digits()),
            ],
        )
    }

    fn identity(&self) -> &'static [&'static str] {
        &["project_id"]
    }

    async fn create(&self, context: &mut Context<'_, Client>, create: &mut Create) -> Result<(), Diagnostic> {
        create.state = Some(put(context.client, &create.plan).await?);
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, Client>, read: &mut Read) -> Result<(), Diagnostic> {
        let Some(state) = &read.state else { return Ok(()) };
        let tenant = context.client.tenant(&text(state, "project_id")).await;
        let tenant = tenant.map_err(|error| failed("The directory entry could not be read", &error, &[]))?;
        read.state = tenant.as_ref().map(state_of);
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Client>, update: &mut Update) -> Result<(), Diagnostic> {
        update.state = put(context.client, &update.plan).await?;
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        let deleted = context.client.delete_tenant(&text(&delete.state, "project_id")).await;
        deleted.map_err(|error| failed("The directory entry was not removed", &error, &[]))
    }
}

/// Creates or changes the entry that is planned.
async fn put(client: &Client, plan: &Object) -> Result<Object, Diagnostic> {
    let owned = |name: &str| plan.str(name).map(str::to_owned);
    let tenant = NewTenant {
        account: text(plan, "account"),
        project: text(plan, "project"),
        region: owned("region"),
        organization: owned("organization"),
        cloud_account: owned("cloud_account"),
    };
    let tenant = client.put_tenant(&text(plan, "project_id"), &tenant).await;
    tenant
        .map(|tenant| state_of(&tenant))
        .map_err(|error| failed("The directory entry was not written", &error, &ATTRIBUTES))
}

fn state_of(tenant: &ApiTenant) -> Object {
    Object::new()
        .with("project_id", &tenant.project_id)
        .with("account", &tenant.account)
        .with("project", &tenant.project)
        .with("region", &tenant.region)
        .with("organization", tenant.organization.clone())
        .with("cloud_account", tenant.cloud_account.clone())
}

fn twelve_digits() -> Validator {
    Validator::new(|value| match value.as_str() {
        Some(text) if text.len() != 12 || !text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(format!("Expected 12 digits, found {text:?}."))
        }
        _ => Ok(()),
    })
}
