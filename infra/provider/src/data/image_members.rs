//! `data.imageshare_image_members`: the projects that an image is shared with.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::support::failed;
use crate::api::{Client, Status};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Nesting, Schema};
use crate::server::{Context, DataSource};
use crate::value::{Object, Value};

/// The data source `imageshare_image_members`.
pub struct ImageMembers;

#[async_trait]
impl DataSource<Client> for ImageMembers {
    fn name(&self) -> &'static str {
        "imageshare_image_members"
    }

    fn schema(&self) -> Schema {
        let member = [
            Attribute::string("status", "What the project decided.").computed(),
            Attribute::string("shared_at", "When the image was shared with it.").computed(),
            Attribute::string("answered_at", "When it decided.").computed(),
        ];
        Schema::new(
            "The projects that an image of the project is shared with.",
            [
                Attribute::string("image_id", "The image.").required(),
                Attribute::objects("members", Nesting::Map, "The members, by their project.", member)
                    .computed(),
                Attribute::strings("pending", "The projects that have not decided.").computed(),
                Attribute::strings("accepted", "The projects that use the image.").computed(),
                Attribute::strings("rejected", "The projects that do not want it.").computed(),
            ],
        )
    }

    async fn read(&self, context: &mut Context<'_, Client>, config: &Object) -> Result<Object, Diagnostic> {
        let id = config.str("image_id").unwrap_or_default().to_owned();
        let failed = |error| failed("The members could not be read", &error);
        let project = context.client.project().await.map_err(failed)?;
        let image = context.client.image(&id).await.map_err(failed)?;
        match image {
            None => {
                let detail = format!("There is no image {id}, or project {project} cannot see it.");
                return Err(Diagnostic::error("The image does not exist", detail).at("image_id"));
            }
            Some(image) if image.owner != project => {
                let detail =
                    format!("Image {id} belongs to project {}, and project {project} asked.", image.owner);
                return Err(
                    Diagnostic::error("Only its owner sees the members of an image", detail).at("image_id")
                );
            }
            Some(_) => {}
        }
        let members = context.client.members_of(&BTreeSet::from([id])).await.map_err(failed)?;
        let with = |status: Status| {
            let chosen = members.iter().filter(|one| one.status == status);
            chosen.map(|one| one.project_id.clone()).collect::<BTreeSet<_>>()
        };
        let by_project: BTreeMap<String, Value> = members
            .iter()
            .map(|one| {
                let member = Object::new()
                    .with("status", one.status.as_str())
                    .with("shared_at", one.shared_at.clone())
                    .with("answered_at", one.answered_at.clone());
                (one.project_id.clone(), member.into())
            })
            .collect();
        Ok(config
            .clone()
            .with("members", Value::Map(by_project))
            .with("pending", with(Status::Pending))
            .with("accepted", with(Status::Accepted))
            .with("rejected", with(Status::Rejected)))
    }
}
