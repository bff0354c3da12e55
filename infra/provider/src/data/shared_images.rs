//! `data.imageshare_shared_images`: what others share with the project.

use async_trait::async_trait;

use super::images::status;
use super::support::{failed, list, matches_glob, texts};
use crate::api::{Client, Membership, MembershipQuery, Role};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Nesting, Schema, each, one_of};
use crate::server::{Context, DataSource};
use crate::value::Object;

/// The data source `imageshare_shared_images`.
pub struct SharedImages;

#[async_trait]
impl DataSource<Client> for SharedImages {
    fn name(&self) -> &'static str {
        "imageshare_shared_images"
    }

    fn schema(&self) -> Schema {
        let image = [
            Attribute::string("image_id", "The image.").computed(),
            Attribute::string("name", "Its name.").computed(),
            Attribute::string("owner_project_id", "The project that shares it.").computed(),
            Attribute::string("status", "The project's decision.").computed(),
            Attribute::string("shared_at", "When it was shared.").computed(),
            Attribute::string("answered_at", "When the project decided.").computed(),
            Attribute::string("vault_id", "The vault that it was accepted into.").computed(),
        ];
        Schema::new(
            "The images that others share with the project, pending ones among them. The list may be empty.",
            [
                Attribute::strings(
                    "statuses",
                    "The project's decisions: `pending`, `accepted`, `rejected`; all, if it is left out.",
                )
                .check(each(one_of(&["pending", "accepted", "rejected"]))),
                Attribute::strings("owner_project_ids", "The projects that share; all, if it is left out."),
                Attribute::string(
                    "name_glob",
                    "The name of the image, in which each `*` stands for any characters.",
                ),
                Attribute::objects("images", Nesting::List, "The images.", image).computed(),
                Attribute::strings("image_ids", "The ids of the images.").computed(),
            ],
        )
    }

    async fn read(&self, context: &mut Context<'_, Client>, config: &Object) -> Result<Object, Diagnostic> {
        let query = MembershipQuery {
            role: Role::Recipient,
            owners: texts(config, "owner_project_ids"),
            status: config.texts("statuses").map(status).collect(),
            ..MembershipQuery::default()
        };
        let memberships = context.client.memberships(&query).await;
        let mut memberships =
            memberships.map_err(|error| failed("The shared images could not be read", &error))?;
        if let Some(pattern) = config.str("name_glob") {
            memberships.retain(|one| matches_glob(pattern, one.image_name.as_deref().unwrap_or_default()));
        }
        memberships.sort_by(|a, b| (&b.shared_at, &b.image_id).cmp(&(&a.shared_at, &a.image_id)));
        // An image whose status changed while the pages were read may be on two of them.
        memberships.dedup_by(|a, b| a.image_id == b.image_id);
        let ids: std::collections::BTreeSet<String> =
            memberships.iter().map(|one| one.image_id.clone()).collect();
        Ok(config.clone().with("images", list(memberships.iter().map(object))).with("image_ids", ids))
    }
}

fn object(one: &Membership) -> Object {
    Object::new()
        .with("image_id", &one.image_id)
        .with("name", one.image_name.clone().unwrap_or_default())
        .with("owner_project_id", &one.owner)
        .with("status", one.status.as_str())
        .with("shared_at", one.shared_at.clone())
        .with("answered_at", one.answered_at.clone())
        .with("vault_id", one.vault_id.clone())
}
