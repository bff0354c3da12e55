//! `imageshare_image`: the record of an image.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::Value as Json;
use uuid::Uuid;

use super::support::{failed, is_conflict, text, texts, unless_empty};
use crate::api::{ApiError, Client, Image as ApiImage, NewImage, PatchOperation};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Schema, between, each, keys, length, one_of};
use crate::server::{Context, Create, Delete, Plan, Read, Resource, Update};
use crate::value::Object;

/// The resource `imageshare_image`.
pub struct Image;

/// The attributes that the service names as this provider does.
const ATTRIBUTES: [&str; 8] =
    ["name", "visibility", "disk_format", "container_format", "protected", "tags", "min_disk", "min_ram"];

/// The formats, which cannot be changed once they are set.
const FORMATS: [&str; 2] = ["disk_format", "container_format"];

#[async_trait]
impl Resource<Client> for Image {
    fn name(&self) -> &'static str {
        "imageshare_image"
    }

    fn schema(&self) -> Schema {
        let size = || between(0..=2_147_483_647);
        Schema::new("A machine image: its record, from which it is shared. Its data live elsewhere.", [
            Attribute::string("id", "The image. It is the same for its owner and its recipients.").computed().keep(),
            Attribute::string("name", "Its name.").required().check(length(0..=255)),
            Attribute::string(
                "visibility",
                "Who can use it: `shared` (its owner, and the projects that have accepted it), `private`, `community` or `public`. Only an admin makes an image public.",
            )
            .default("shared")
            .check(one_of(&["shared", "private", "community", "public"])),
            Attribute::string("disk_format", "The format of its disk, such as `qcow2`. It can be set later, but not changed."),
            Attribute::string(
                "container_format",
                "The format of its container, such as `bare`. It can be set later, but not changed.",
            ),
            Attribute::number("min_disk", "The least disk of a server that is made from it, in GiB.").default(0).check(size()),
            Attribute::number("min_ram", "The least memory of a server that is made from it, in MiB.").default(0).check(size()),
            Attribute::bool("protected", "Whether it cannot be deleted.").default(false),
            Attribute::bool("hidden", "Whether lists leave it out.").default(false),
            Attribute::strings("tags", "Its tags. Recipients see them.").check(each(length(1..=255))),
            Attribute::string_map(
                "properties",
                "Its other properties. Recipients see them. Some have a meaning here: `__os_type`, `__system__cmkid` (the key of an encrypted image), `__whole_image` and `__backup_id` (of a full-ECS image).",
            )
            .check(keys(length(1..=255))),
            Attribute::string(
                "on_destroy",
                "What destroying it does while projects use it: `fail_if_shared`, or `unshare`, which takes it away from them.",
            )
            .default("fail_if_shared")
            .check(one_of(&["fail_if_shared", "unshare"]))
            .local(),
            Attribute::string("owner_project_id", "The project that owns it.").computed().keep(),
            Attribute::string("status", "Its status. An image is `active` at once.").computed().keep(),
            Attribute::string("created_at", "When it was registered.").computed().keep(),
            Attribute::string("updated_at", "When it was last changed.").computed(),
        ])
    }

    fn identity(&self) -> &'static [&'static str] {
        &["id"]
    }

    async fn plan(&self, _: &mut Context<'_, Client>, plan: &mut Plan<'_>) -> Result<(), Diagnostic> {
        let is_set = |name: &&str| plan.prior.is_some_and(|prior| !prior.get(name).is_null());
        let changed: Vec<_> = FORMATS.into_iter().filter(is_set).filter(|name| plan.changes(name)).collect();
        for name in changed {
            plan.replace_because_of(name);
        }
        Ok(())
    }

    async fn create(&self, context: &mut Context<'_, Client>, create: &mut Create) -> Result<(), Diagnostic> {
        let image = new_image(&create.plan);
        let image = context.client.create_image(&image).await;
        let image = image.map_err(|error| failed("The image was not registered", &error, &ATTRIBUTES))?;
        create.state = Some(state_of(&image, &create.plan));
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, Client>, read: &mut Read) -> Result<(), Diagnostic> {
        let Some(state) = &read.state else { return Ok(()) };
        let image = context.client.image(&text(state, "id")).await;
        let image = image.map_err(|error| failed("The image could not be read", &error, &[]))?;
        read.state = image.map(|image| state_of(&image, state));
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Client>, update: &mut Update) -> Result<(), Diagnostic> {
        let image = change(context.client, &text(&update.prior, "id"), &update.plan).await;
        let image = image.map_err(|error| failed("The image was not changed", &error, &ATTRIBUTES))?;
        update.state = state_of(&image, &update.plan);
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        let unless_shared = delete.state.str("on_destroy") != Some("unshare");
        let deleted = context.client.delete_image(&text(&delete.state, "id"), unless_shared).await;
        deleted.map_err(|error| {
            if unless_shared && error.code() == Some(SHARED) {
                let detail = format!(
                    "{error} Destroy its imageshare_share first, or set on_destroy = \"unshare\" and apply that before."
                );
                return Diagnostic::error("The image is shared", detail).at("on_destroy");
            }
            failed("The image was not deleted", &error, &ATTRIBUTES)
        })
    }
}

/// The code of an image that is not deleted since it is shared.
const SHARED: &str = "IMG.0183";

/// The image that is planned, with a new id, so that registering it can be repeated.
fn new_image(plan: &Object) -> NewImage {
    let owned = |name: &str| plan.str(name).map(str::to_owned);
    NewImage {
        id: Uuid::new_v4().to_string(),
        name: owned("name"),
        visibility: owned("visibility"),
        protected: plan.bool("protected").unwrap_or_default(),
        os_hidden: plan.bool("hidden").unwrap_or_default(),
        min_disk: plan.i64("min_disk").unwrap_or_default(),
        min_ram: plan.i64("min_ram").unwrap_or_default(),
        disk_format: owned("disk_format"),
        container_format: owned("container_format"),
        tags: texts(plan, "tags"),
        properties: properties(plan),
    }
}

/// Changes an image to what is planned, from what it is now. Others may change it in between, so a conflict is tried once
/// more.
async fn change(client: &Client, id: &str, plan: &Object) -> Result<ApiImage, ApiError> {
    let current = current(client, id).await?;
    match client.update_image(id, &patch(&current, plan)).await {
        Err(error) if is_conflict(&error) => {
            let again = self::current(client, id).await?;
            if again == current { Err(error) } else { client.update_image(id, &patch(&again, plan)).await }
        }
        result => result,
    }
}

async fn current(client: &Client, id: &str) -> Result<ApiImage, ApiError> {
    client.send(&crate::api::Call::get("/v2/images/{}", &[id])).await
}

/// The patch from an image to what is planned.
fn patch(image: &ApiImage, plan: &Object) -> Vec<PatchOperation> {
    let replace = |name: &str, value: Json| PatchOperation::Replace { path: path(name), value };
    let mut patch = Vec::new();
    let mut set = |name: &str, current: Json, planned: Json| {
        if current != planned {
            patch.push(replace(name, planned));
        }
    };
    set("name", image.name.clone().into(), plan.str("name").into());
    set("visibility", image.visibility.clone().into(), plan.str("visibility").into());
    set("disk_format", image.disk_format.clone().into(), plan.str("disk_format").into());
    set("container_format", image.container_format.clone().into(), plan.str("container_format").into());
    set("min_disk", image.min_disk.into(), plan.i64("min_disk").into());
    set("min_ram", image.min_ram.into(), plan.i64("min_ram").into());
    set("protected", image.protected.into(), plan.bool("protected").into());
    set("os_hidden", image.os_hidden.into(), plan.bool("hidden").into());
    set("tags", as_json(&image.tags), as_json(&texts(plan, "tags")));

    let (current, planned) = (image.properties(), properties(plan));
    for (name, value) in &planned {
        match current.get(name) {
            None => patch.push(PatchOperation::Add { path: path(name), value: value.as_str().into() }),
            Some(current) if current != value => patch.push(replace(name, value.as_str().into())),
            Some(_) => {}
        }
    }
    let removed = current.keys().filter(|name| !planned.contains_key(*name));
    patch.extend(removed.map(|name| PatchOperation::Remove { path: path(name) }));
    patch
}

/// The path of a member, as a JSON pointer writes it.
fn path(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn as_json(texts: &BTreeSet<String>) -> Json {
    texts.iter().cloned().collect()
}

fn properties(object: &Object) -> BTreeMap<String, String> {
    let properties = object.map("properties").into_iter().flatten();
    properties.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

/// The state of an image. `before` is the state or the plan that it had.
fn state_of(image: &ApiImage, before: &Object) -> Object {
    let properties = image.properties();
    let no_properties = properties.is_empty();
    Object::new()
        .with("id", &image.id)
        .with("name", image.name.clone().unwrap_or_default())
        .with("visibility", &image.visibility)
        .with("disk_format", image.disk_format.clone())
        .with("container_format", image.container_format.clone())
        .with("min_disk", image.min_disk)
        .with("min_ram", image.min_ram)
        .with("protected", image.protected)
        .with("hidden", image.os_hidden)
        .with("tags", unless_empty(image.tags.clone(), image.tags.is_empty(), before.get("tags")))
        .with("properties", unless_empty(properties, no_properties, before.get("properties")))
        .with("on_destroy", before.get("on_destroy").clone())
        .with("owner_project_id", &image.owner)
        .with("status", &image.status)
        .with("created_at", &image.created_at)
        .with("updated_at", &image.updated_at)
}
