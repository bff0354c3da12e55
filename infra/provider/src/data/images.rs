//! `data.imageshare_images`: images that the project can see.

use async_trait::async_trait;

use super::support::{failed, list, matches_glob, texts};
use crate::api::{Client, Image, ImageFilter, Status};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Nesting, Schema, one_of};
use crate::server::{Context, DataSource};
use crate::value::Object;

/// The data source `imageshare_images`.
pub struct Images;

#[async_trait]
impl DataSource<Client> for Images {
    fn name(&self) -> &'static str {
        "imageshare_images"
    }

    fn schema(&self) -> Schema {
        let image = [
            Attribute::string("id", "The image.").computed(),
            Attribute::string("name", "Its name.").computed(),
            Attribute::string("owner_project_id", "The project that owns it.").computed(),
            Attribute::string("status", "Its status.").computed(),
            Attribute::string("visibility", "Who can use it.").computed(),
            Attribute::string("disk_format", "The format of its disk.").computed(),
            Attribute::string("container_format", "The format of its container.").computed(),
            Attribute::number("min_disk", "The least disk of a server, in GiB.").computed(),
            Attribute::number("min_ram", "The least memory of a server, in MiB.").computed(),
            Attribute::strings("tags", "Its tags, as its owner has set them.").computed(),
            Attribute::string_map("properties", "Its properties, as its owner has set them.").computed(),
            Attribute::string("created_at", "When it was registered.").computed(),
            Attribute::string("updated_at", "When it was last changed.").computed(),
        ];
        Schema::new(
            "The images that the project owns or has accepted, and those for everybody, the newest first. An image has to match all arguments. That none does is no error; `one` tells whether exactly one does.",
            [
                Attribute::string("image_id", "The image."),
                Attribute::string("name", "Its exact name."),
                Attribute::string("name_glob", "Its name, in which each `*` stands for any characters."),
                Attribute::string("owner_project_id", "The project that owns it."),
                Attribute::string("visibility", "Who can use it.").check(one_of(&["shared", "private", "community", "public"])),
                Attribute::string(
                    "member_status",
                    "The project's decision on images of others: `accepted`, if it is left out; `pending` or `rejected`.",
                )
                .check(one_of(&["pending", "accepted", "rejected"])),
                Attribute::strings("tags", "All of these tags."),
                Attribute::bool("newest", "Whether only the newest one is wanted.").default(false),
                Attribute::objects("images", Nesting::List, "The images.", image).computed(),
                Attribute::string("one", "The id, if exactly one image matches.").computed(),
            ],
        )
    }

    async fn read(&self, context: &mut Context<'_, Client>, config: &Object) -> Result<Object, Diagnostic> {
        let owned = |name: &str| config.str(name).map(str::to_owned);
        let filter = ImageFilter {
            name: owned("name"),
            owner: owned("owner_project_id"),
            visibility: owned("visibility"),
            member_status: config.str("member_status").map(status),
            tags: texts(config, "tags"),
        };
        let mut images = match config.str("image_id") {
            // An image can be read by its id also where no list has it.
            Some(id) => {
                let image = context.client.image(id).await;
                image.map(|image| image.into_iter().filter(|image| matches(image, &filter)).collect())
            }
            None => context.client.list_images(&filter).await,
        }
        .map_err(|error| failed("The images could not be read", &error))?;
        if let Some(pattern) = config.str("name_glob") {
            images.retain(|image| matches_glob(pattern, image.name.as_deref().unwrap_or_default()));
        }
        images.sort_by(|a, b| (&b.created_at, &b.id).cmp(&(&a.created_at, &a.id)));
        if config.bool("newest") == Some(true) {
            images.truncate(1);
        }
        let one = match &images[..] {
            [image] => Some(image.id.clone()),
            _ => None,
        };
        Ok(config.clone().with("images", list(images.iter().map(object))).with("one", one))
    }
}

/// A status by its name.
pub(super) fn status(name: &str) -> Status {
    match name {
        "pending" => Status::Pending,
        "rejected" => Status::Rejected,
        _ => Status::Accepted,
    }
}

/// Whether an image matches what the service filters lists by.
fn matches(image: &Image, filter: &ImageFilter) -> bool {
    let is = |wanted: &Option<String>, value: Option<&str>| {
        wanted.as_deref().is_none_or(|wanted| Some(wanted) == value)
    };
    is(&filter.name, image.name.as_deref())
        && is(&filter.owner, Some(&image.owner))
        && is(&filter.visibility, Some(&image.visibility))
        && filter.tags.iter().all(|tag| image.tags.contains(tag))
}

fn object(image: &Image) -> Object {
    Object::new()
        .with("id", &image.id)
        .with("name", image.name.clone().unwrap_or_default())
        .with("owner_project_id", &image.owner)
        .with("status", &image.status)
        .with("visibility", &image.visibility)
        .with("disk_format", image.disk_format.clone())
        .with("container_format", image.container_format.clone())
        .with("min_disk", image.min_disk)
        .with("min_ram", image.min_ram)
        .with("tags", image.tags.clone())
        .with("properties", image.properties())
        .with("created_at", &image.created_at)
        .with("updated_at", &image.updated_at)
}
