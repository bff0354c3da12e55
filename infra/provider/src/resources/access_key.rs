//! `imageshare_access_key`: an access key of the project.
//!
//! The secret is best chosen by the configuration, in an argument that is stored nowhere. One that the service chose is
//! only in its answer, so it is in the state or lost.

use async_trait::async_trait;

use super::support::{failed, text, texts, unless_empty};
use crate::api::{AccessKey as ApiAccessKey, Client, NewAccessKey, Secret};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::{Attribute, Rule, Schema, Validator, each, length, not_empty, one_of};
use crate::server::{Context, Create, Delete, Plan, Read, Resource, Update};
use crate::value::Object;

/// The resource `imageshare_access_key`.
pub struct AccessKey;

#[async_trait]
impl Resource<Client> for AccessKey {
    fn name(&self) -> &'static str {
        "imageshare_access_key"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "An access key of the provider's project. Its secret is given in `secret_wo`, which is stored nowhere, or is kept in the state with `secret_in_state`. Destroying it disables the key for good.",
            [
                Attribute::string("id", "The key, which requests name.").computed().keep(),
                Attribute::string("name", "Its name.").required().check(length(1..=255)),
                Attribute::strings("roles", "Its roles: `reader`, `member`, `admin`. Only `member`, if it is left out.")
                    .optional_computed()
                    .force_new()
                    .keep()
                    .check(not_empty())
                    .check(each(one_of(&["reader", "member", "admin"]))),
                Attribute::string("expires_at", "When it ends, as `2027-01-31T00:00:00Z`. It does not end, if it is left out.")
                    .force_new()
                    .check(utc_time()),
                Attribute::string("secret_wo", "Its secret: 32 to 128 printable characters. Needs Terraform 1.11.")
                    .sensitive()
                    .write_only()
                    .check(length(32..=128)),
                Attribute::number("secret_wo_version", "Changed together with `secret_wo`, which replaces the key."),
                Attribute::bool("secret_in_state", "Whether the service chooses the secret, and the state keeps it.")
                    .default(false)
                    .force_new(),
                Attribute::string("secret", "Its secret, with `secret_in_state`.").computed().keep().sensitive(),
                Attribute::string("project_id", "The project that it acts for.").computed().keep(),
                Attribute::string("created_at", "When it was created.").computed().keep(),
            ],
        )
        .rule(Rule::Together(&["secret_wo", "secret_wo_version"]))
    }

    fn identity(&self) -> &'static [&'static str] {
        &["id"]
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        let in_state = config.get("secret_in_state");
        if in_state.is_unknown() {
            return;
        }
        match (in_state.as_bool().unwrap_or_default(), config.get("secret_wo").is_null()) {
            (false, true) => {
                let detail =
                    "Give secret_wo, or set secret_in_state = true if the state may contain the secret.";
                diagnostics.push(Diagnostic::error("The secret would be lost", detail).at("secret_wo"));
            }
            (true, false) => {
                let detail =
                    "A secret that is given is stored nowhere. Leave secret_wo or secret_in_state out.";
                diagnostics.push(Diagnostic::error("Conflicting attributes", detail).at("secret_in_state"));
            }
            _ => {}
        }
    }

    async fn plan(&self, _: &mut Context<'_, Client>, plan: &mut Plan<'_>) -> Result<(), Diagnostic> {
        // An imported key has no version yet, and keeps its secret.
        let had_version = plan.prior.is_some_and(|prior| !prior.get("secret_wo_version").is_null());
        if had_version && plan.changes("secret_wo_version") {
            plan.replace_because_of("secret_wo_version");
        }
        Ok(())
    }

    async fn create(&self, context: &mut Context<'_, Client>, create: &mut Create) -> Result<(), Diagnostic> {
        let key = NewAccessKey {
            name: text(&create.plan, "name"),
            roles: texts(&create.plan, "roles").into_iter().collect(),
            expires_at: create.plan.str("expires_at").map(str::to_owned),
            secret: create.config.str("secret_wo").map(Secret::new),
        };
        let key = context.client.create_access_key(&key).await;
        let attributes = ["name", "roles", "expires_at"];
        let key = key.map_err(|error| match error.field() {
            Some("secret") => {
                Diagnostic::error("The access key was not created", error.to_string()).at("secret_wo")
            }
            _ => failed("The access key was not created", &error, &attributes),
        })?;
        let secret = key.secret.as_ref().filter(|_| create.plan.bool("secret_in_state") == Some(true));
        let secret = secret.map(|secret| secret.expose().to_owned());
        create.state = Some(state_of(&key, &create.plan).with("secret", secret));
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, Client>, read: &mut Read) -> Result<(), Diagnostic> {
        let Some(state) = &read.state else { return Ok(()) };
        let key = context.client.access_key(&text(state, "id")).await;
        let key = key.map_err(|error| failed("The access key could not be read", &error, &[]))?;
        // A disabled key can be read for 90 days, and never be used again.
        let enabled = key.filter(|key| key.disabled_at.is_none());
        read.state = enabled.map(|key| state_of(&key, state).with("secret", state.get("secret").clone()));
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Client>, update: &mut Update) -> Result<(), Diagnostic> {
        let (id, name) = (text(&update.prior, "id"), text(&update.plan, "name"));
        let key = if update.prior.str("name") == Some(&name) {
            context.client.access_key(&id).await.and_then(|key| key.ok_or_else(|| gone(&id)))
        } else {
            context.client.rename_access_key(&id, &name).await
        };
        let key = key.map_err(|error| failed("The access key was not changed", &error, &["name"]))?;
        update.state = state_of(&key, &update.plan).with("secret", update.prior.get("secret").clone());
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        let disabled = context.client.disable_access_key(&text(&delete.state, "id")).await;
        disabled.map_err(|error| failed("The access key was not disabled", &error, &[]))
    }
}

fn gone(id: &str) -> crate::api::ApiError {
    crate::api::ApiError {
        kind: crate::api::ErrorKind::Missing,
        message: format!("There is no access key {id} any more."),
        origin: Box::default(),
    }
}

/// The state of a key without its secret. `before` is the state or the plan that it had.
fn state_of(key: &ApiAccessKey, before: &Object) -> Object {
    let roles: std::collections::BTreeSet<String> = key.roles.iter().cloned().collect();
    let no_roles = roles.is_empty();
    Object::new()
        .with("id", &key.id)
        .with("name", &key.name)
        .with("roles", unless_empty(roles, no_roles, before.get("roles")))
        .with("expires_at", key.expires_at.clone())
        .with("secret_wo_version", before.get("secret_wo_version").clone())
        .with("secret_in_state", before.get("secret_in_state").clone())
        .with("project_id", &key.project_id)
        .with("created_at", &key.created_at)
}

/// A check of a time in the form that the service returns, so that it never differs from what was given.
fn utc_time() -> Validator {
    Validator::new(|value| {
        let is_good = |text: &str| {
            use time::format_description::well_known::Rfc3339;
            text.len() == 20 && text.ends_with('Z') && time::OffsetDateTime::parse(text, &Rfc3339).is_ok()
        };
        match value.as_str() {
            Some(text) if !is_good(text) => Err(format!(
                "Expected a time in UTC and whole seconds, as \"2027-01-31T00:00:00Z\", found {text:?}."
            )),
            _ => Ok(()),
        }
    })
}
