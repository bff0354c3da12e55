//! `list "imageshare_acceptance"`: the images that are shared with the project, as acceptances that could be imported.

use async_trait::async_trait;

use super::acceptance::state_of_one;
use super::support::{failed, texts};
use crate::api::{Client, MembershipQuery, Role, Status};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Schema, each, one_of};
use crate::server::{Context, ListRequest, ListResource, Listed};
use crate::value::Object;

/// The list of `imageshare_acceptance`.
pub struct Inbox;

#[async_trait]
impl ListResource<Client> for Inbox {
    fn name(&self) -> &'static str {
        "imageshare_acceptance"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The images that others share with the project.",
            [
                Attribute::strings(
                    "statuses",
                    "The project's decisions: `pending`, `accepted`, `rejected`; all, if it is left out.",
                )
                .check(each(one_of(&["pending", "accepted", "rejected"]))),
                Attribute::strings("owner_project_ids", "The projects that share; all, if it is left out."),
            ],
        )
    }

    async fn list(
        &self,
        context: &mut Context<'_, Client>,
        request: &ListRequest,
    ) -> Result<Vec<Listed>, Diagnostic> {
        let status = |name: &str| match name {
            "pending" => Status::Pending,
            "rejected" => Status::Rejected,
            _ => Status::Accepted,
        };
        let query = MembershipQuery {
            role: Role::Recipient,
            owners: texts(&request.config, "owner_project_ids").into_iter().collect(),
            status: request.config.texts("statuses").map(status).collect(),
            ..MembershipQuery::default()
        };
        let memberships = context.client.memberships(&query).await;
        let mut memberships =
            memberships.map_err(|error| failed("The shared images could not be listed", &error, &[]))?;
        memberships.truncate(request.limit);
        let settings = Object::new().with("wait_for_invitation", true).with("on_destroy", "reject");
        let listed = memberships.iter().map(|one| Listed {
            display_name: one.image_name.clone().unwrap_or_else(|| one.image_id.clone()),
            // What is pending is accepted by the configuration that Terraform generates from this.
            state: match one.status {
                Status::Pending => state_of_one(one, &settings).with("decision", "accept"),
                _ => state_of_one(one, &settings),
            },
        });
        Ok(listed.collect())
    }
}
