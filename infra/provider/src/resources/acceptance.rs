//! `imageshare_acceptance`: the project's decision on an image, or on everything from an owner.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::support::{failed, failed_at, id, stopped, text, wait};
use crate::api::{Client, Decision, Membership, MembershipQuery, Role, Status, StopWaiting, Wait};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::{Attribute, Operation, Rule, Schema, one_of};
use crate::server::{Context, Create, Delete, Moved, Plan, Read, Resource, Update};
use crate::value::{Object, Value};

/// The resource `imageshare_acceptance`.
pub struct Acceptance;

/// The name of everything from an owner, after the owner's id.
const EVERYTHING: &str = "*";

#[async_trait]
impl Resource<Client> for Acceptance {
    fn name(&self) -> &'static str {
        "imageshare_acceptance"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "The project's decision on an image that is shared with it, or on everything that an owner shares. It waits for the invitation, so it can be in one apply with the share. An image that is accepted already is taken over.",
            [
                Attribute::string("id", "`IMAGE/PROJECT`, or `OWNER/*` for everything from an owner.").computed().keep(),
                Attribute::string("image_id", "The image.").force_new().check(id()),
                Attribute::string("from_project_id", "The owner whose images are all decided on: those that are pending at each apply.")
                    .force_new()
                    .check(id()),
                Attribute::string("project_id", "The project that decides: that of the provider's credential.")
                    .optional_computed()
                    .force_new()
                    .keep()
                    .check(id()),
                Attribute::string("decision", "`accept` or `reject`.").default("accept").check(one_of(&["accept", "reject"])),
                Attribute::string("vault_id", "The vault for a full-ECS image. Another one moves it.").check(id()),
                Attribute::bool("wait_for_invitation", "Whether to wait until the image is shared, as long as `timeouts` permits.")
                    .default(true)
                    .local(),
                Attribute::string("on_destroy", "What destroying it does: `reject`, which ends the use, or `keep` the decision.")
                    .default("reject")
                    .check(one_of(&["reject", "keep"]))
                    .local(),
                Attribute::string("owner_project_id", "The owner of the image, or the one whose images are decided on.").computed().keep(),
                Attribute::string("image_name", "The name of the image.").computed(),
                Attribute::string("answered_at", "When the project decided on the image.").computed(),
                Attribute::string_map("images", "The images that the owner shares, each with its status.").computed(),
            ],
        )
        .rule(Rule::ExactlyOne(&["image_id", "from_project_id"]))
        .timeouts(&[Operation::Create, Operation::Update, Operation::Delete])
    }

    fn identity(&self) -> &'static [&'static str] {
        &["id"]
    }

    fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        if config.str("decision") == Some("reject") && !config.get("vault_id").is_null() {
            let detail = "Only an accepted image is in a vault. Leave vault_id out.";
            diagnostics.push(Diagnostic::error("vault_id has no use here", detail).at("vault_id"));
        }
    }

    async fn plan(&self, _: &mut Context<'_, Client>, plan: &mut Plan<'_>) -> Result<(), Diagnostic> {
        // What is decided on one by one has no list, and everything from an owner no name.
        let unused: &[&str] =
            if plan.config.get("image_id").is_null() { &["image_name", "answered_at"] } else { &["images"] };
        for name in unused {
            plan.state.set(*name, Value::Null);
        }
        Ok(())
    }

    async fn create(&self, context: &mut Context<'_, Client>, create: &mut Create) -> Result<(), Diagnostic> {
        let project = acting_project(context.client, &create.plan).await?;
        let wait = wait(context);
        create.state = Some(match create.plan.str("image_id") {
            Some(image) => {
                let found = invitation(context.client, image, &project, &create.plan, &wait).await?;
                decide_on_one(context.client, found, &create.plan).await?
            }
            None => decide_on_all(context, &project, &create.plan, &wait).await?,
        });
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, Client>, read: &mut Read) -> Result<(), Diagnostic> {
        let Some(state) = read.state.take() else { return Ok(()) };
        let unreadable = |error| failed("The membership could not be read", &error, &[]);
        if let Some(owner) = state.str("from_project_id") {
            let memberships = from_owner(context.client, owner).await.map_err(unreadable)?;
            let project = context.client.project().await.map_err(unreadable)?;
            let decision = if memberships.iter().any(|one| one.status == Status::Pending) {
                Value::from(Status::Pending.as_str())
            } else {
                Value::from(state.str("decision").unwrap_or("accept"))
            };
            read.state = Some(state_of_all(owner, &project, &memberships, &state).with("decision", decision));
            return Ok(());
        }
        let membership =
            context.client.own_membership(&text(&state, "image_id")).await.map_err(unreadable)?;
        read.state = membership.map(|membership| state_of_one(&membership, &state));
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Client>, update: &mut Update) -> Result<(), Diagnostic> {
        let project = acting_project(context.client, &update.plan).await?;
        let wait = wait(context);
        update.state = match update.plan.str("image_id") {
            Some(image) => {
                let found = invitation(context.client, image, &project, &update.plan, &wait).await?;
                decide_on_one(context.client, found, &update.plan).await?
            }
            None => decide_on_all(context, &project, &update.plan, &wait).await?,
        };
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        if delete.state.str("on_destroy") == Some("keep") {
            return Ok(());
        }
        let failed = |error| failed("The image was not rejected", &error, &[]);
        let wait = wait(context);
        let accepted = if let Some(image) = delete.state.str("image_id") {
            let membership = context.client.own_membership(image).await.map_err(failed)?;
            membership.into_iter().filter(|one| one.status != Status::Rejected).collect()
        } else {
            let known = delete.state.map("images").cloned().unwrap_or_default();
            let now =
                from_owner(context.client, &text(&delete.state, "from_project_id")).await.map_err(failed)?;
            let is_own =
                |one: &Membership| known.contains_key(&one.image_id) && one.status == Status::Accepted;
            now.into_iter().filter(is_own).collect::<Vec<_>>()
        };
        for chunk in accepted.chunks(1000) {
            let images: Vec<String> = chunk.iter().map(|one| one.image_id.clone()).collect();
            let changed = context.client.decide(&images, Decision::Rejected, None, &wait).await;
            // An image that was unshared meanwhile needs no rejection.
            let is_real = |code: Option<&str>| !matches!(code, Some("IMG.0121" | "IMG.0027"));
            for result in changed.failures().filter(|result| is_real(result.error_code.as_deref())) {
                let detail = result.error_msg.clone().unwrap_or_default();
                context.diagnostics.error(format!("Image {} was not rejected", result.image_id), detail);
            }
            for error in changed.errors.iter().filter(|error| !error.is_missing()) {
                context.diagnostics.error("Images were not rejected", error.to_string());
            }
            if changed.is_cut_short {
                let detail = "Terraform was interrupted before all of them were. Destroy again.";
                context.diagnostics.error("Images were not rejected", detail);
            }
            for (job, reason) in &changed.unfinished {
                context.diagnostics.warn(
                    "Images are being rejected",
                    format!("Job {job} is {}; it goes on.", stopped(*reason)),
                );
            }
        }
        Ok(())
    }

    fn parse_import_id(&self, id: &str) -> Result<Object, String> {
        match id.split_once('/') {
            Some((owner, EVERYTHING)) if !owner.is_empty() => {
                Ok(Object::new().with("id", id).with("from_project_id", owner))
            }
            Some((image, project)) if !image.is_empty() && !project.is_empty() && !project.contains('/') => {
                Ok(Object::new().with("id", id).with("image_id", image).with("project_id", project))
            }
            None if !id.is_empty() => Ok(Object::new().with("image_id", id)),
            _ => Err(format!(
                "Expected <image_id>/<project_id>, or <owner_project_id>/* for everything from an owner, found {id:?}."
            )),
        }
    }

    /// Takes over what the providers of OpenStack and Open Telekom Cloud call an accepted image.
    fn adopt(&self, moved: &Moved) -> Option<Result<Object, Diagnostic>> {
        let known =
            ["openstack_images_image_access_accept_v2", "opentelekomcloud_images_image_access_accept_v2"];
        known.contains(&moved.type_name.as_str()).then(|| {
            let (image, project) = (moved.str("image_id"), moved.str("member_id"));
            let decision =
                if moved.str("status").as_deref() == Some("rejected") { "reject" } else { "accept" };
            let id = image.clone().zip(project.clone()).map(|(image, project)| format!("{image}/{project}"));
            Ok(Object::new()
                .with("id", id)
                .with("image_id", image)
                .with("project_id", project)
                .with("decision", decision)
                .with("wait_for_invitation", true)
                .with("on_destroy", "reject"))
        })
    }
}

/// The project that decides, which is that of the credential.
async fn acting_project(client: &Client, plan: &Object) -> Result<String, Diagnostic> {
    let acting = client.project().await.map_err(|error| failed("The project is not known", &error, &[]))?;
    match plan.str("project_id") {
        Some(project) if project != acting => {
            let detail = format!(
                "The provider's credential acts for project {acting}. Only project {project} itself can decide: use a provider with a credential of it."
            );
            Err(Diagnostic::error("Another project decides on this", detail).at("project_id"))
        }
        _ => Ok(acting),
    }
}

/// The membership to decide on. Waits until the image is shared, if the plan says so.
async fn invitation(
    client: &Client,
    image: &str,
    project: &str,
    plan: &Object,
    wait: &Wait,
) -> Result<Membership, Diagnostic> {
    let unreadable = |error| failed("The membership could not be read", &error, &[]);
    if let Some(found) = client.own_membership(image).await.map_err(unreadable)? {
        return Ok(found);
    }
    let own = client.image(image).await.map_err(unreadable)?;
    if own.is_some_and(|own| own.owner == project) {
        let detail = format!(
            "Image {image} belongs to project {project} itself. Use a provider with the recipient's credential."
        );
        return Err(Diagnostic::error("An owner does not accept its own image", detail).at("image_id"));
    }
    let absent = |how_long: &str| {
        let detail =
            format!("Image {image} {how_long} shared with project {project}. Ask its owner to share it.");
        Diagnostic::error("There is no invitation", detail).at("image_id")
    };
    if plan.bool("wait_for_invitation") == Some(false) {
        return Err(absent("is not"));
    }
    for pause in Wait::pauses() {
        match wait.pause(pause).await {
            Ok(()) => {}
            Err(StopWaiting::TimedOut) => break,
            Err(StopWaiting::Interrupted) => {
                return Err(absent("was, when Terraform was interrupted, not yet"));
            }
        }
        if let Some(found) = client.own_membership(image).await.map_err(unreadable)? {
            return Ok(found);
        }
    }
    Err(absent("was, within the time that timeouts permits, not"))
}

/// Decides on one image, unless that is what was decided.
async fn decide_on_one(client: &Client, found: Membership, plan: &Object) -> Result<Object, Diagnostic> {
    let (decision, vault) = (decision_of(plan), plan.str("vault_id"));
    let is_in_vault = vault.is_none() || found.vault_id.as_deref() == vault;
    if found.status == Status::from(decision) && is_in_vault {
        return Ok(state_of_one(&found, plan));
    }
    let decided =
        client.decide_on_one(&found, decision, vault).await.map_err(|error| match error.code() {
            Some("IMG.0182" | "IMG.0184" | "IMG.0188" | "IMG.0193") => {
                failed_at("vault_id", "The vault does not take the image", &error)
            }
            _ => failed(
                format!("Project {} could not decide on image {}", found.project_id, found.image_id),
                &error,
                &["vault_id"],
            ),
        })?;
    Ok(state_of_one(&decided, plan))
}

/// Decides on everything that is pending from an owner.
async fn decide_on_all(
    context: &mut Context<'_, Client>,
    project: &str,
    plan: &Object,
    wait: &Wait,
) -> Result<Object, Diagnostic> {
    let owner = text(plan, "from_project_id");
    let everything = format!("{owner}/{EVERYTHING}");
    let changed = context.client.decide(&[everything], decision_of(plan), plan.str("vault_id"), wait).await;
    let mut problems = Diagnostics::default();
    for error in &changed.errors {
        problems.push(failed("The images of the owner were not decided on", error, &["vault_id"]));
    }
    // The others are decided on, and the next plan shows these as pending.
    for result in changed.failures() {
        let detail = result.error_msg.clone().unwrap_or_default();
        problems.push(Diagnostic::warning(format!("Image {} was not decided on", result.image_id), detail));
    }
    if changed.is_cut_short {
        let detail = "Terraform was interrupted before that. The next plan shows those that are pending.";
        problems.push(Diagnostic::warning("The images of the owner were not decided on", detail));
    }
    for (job, reason) in &changed.unfinished {
        let detail =
            format!("Job {job} is {}; it goes on, and the next plan shows what it did.", stopped(*reason));
        problems.push(Diagnostic::warning("The images of the owner are being decided on", detail));
    }
    context.diagnostics.extend(problems);
    let memberships = from_owner(context.client, &owner).await;
    let memberships =
        memberships.map_err(|error| failed("The memberships could not be read", &error, &[]))?;
    Ok(state_of_all(&owner, project, &memberships, plan))
}

async fn from_owner(client: &Client, owner: &str) -> Result<Vec<Membership>, crate::api::ApiError> {
    let query = MembershipQuery {
        role: Role::Recipient,
        owners: vec![owner.to_owned()],
        ..MembershipQuery::default()
    };
    client.memberships(&query).await
}

fn decision_of(plan: &Object) -> Decision {
    if plan.str("decision") == Some("reject") { Decision::Rejected } else { Decision::Accepted }
}

/// The state of a decision on one image. `before` is the state or the plan that it had.
pub(super) fn state_of_one(membership: &Membership, before: &Object) -> Object {
    let decision = match membership.status {
        Status::Accepted => "accept",
        Status::Rejected => "reject",
        Status::Pending => "pending",
    };
    // Only a full-ECS image is in a vault; for another one the argument stays as it was given.
    let vault = membership.vault_id.as_deref().or(before.str("vault_id"));
    settings(before)
        .with("id", format!("{}/{}", membership.image_id, membership.project_id))
        .with("image_id", &membership.image_id)
        .with("project_id", &membership.project_id)
        .with("decision", decision)
        .with("vault_id", vault)
        .with("owner_project_id", &membership.owner)
        .with("image_name", membership.image_name.clone().unwrap_or_default())
        .with("answered_at", membership.answered_at.clone())
}

/// The state of a decision on everything from an owner.
fn state_of_all(owner: &str, project: &str, memberships: &[Membership], before: &Object) -> Object {
    let images: BTreeMap<String, Value> =
        memberships.iter().map(|one| (one.image_id.clone(), one.status.as_str().into())).collect();
    settings(before)
        .with("id", format!("{owner}/{EVERYTHING}"))
        .with("from_project_id", owner)
        .with("project_id", project)
        .with("decision", before.get("decision").clone())
        .with("vault_id", before.get("vault_id").clone())
        .with("owner_project_id", owner)
        .with("images", Value::Map(images))
}

/// What concerns the provider only.
fn settings(before: &Object) -> Object {
    let names = ["wait_for_invitation", "on_destroy", "timeouts"];
    names.into_iter().map(|name| (name, before.get(name).clone())).collect()
}
