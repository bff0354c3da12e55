//! `imageshare_share`: a set of images is shared with a set of projects.
//!
//! What is shared is compared with what is to be, and only the difference is changed. Drift shows in the sets: a project
//! that one of the images is no longer shared with leaves `project_ids` of the state, so that the plan adds it again. Each
//! pair with its status is in the map `members`.

mod pairs;
mod wanted;

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::support::{account_attributes, account_names, failed, id, text, texts};
use crate::api::{Client, MembershipChange, Status};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::schema::{Attribute, Nesting, Operation, Rule, Schema, each, length, not_empty, one_of};
use crate::server::{Context, Create, Delete, Plan, Read, Resource, Update};
use crate::value::{Object, Value};
use pairs::{apply, is_shared_by_a_job, read_state, wait_for_decisions};
use wanted::Wanted;

/// The resource `imageshare_share`.
pub struct Share;

#[async_trait]
impl Resource<Client> for Share {
    fn name(&self) -> &'static str {
        "imageshare_share"
    }

    fn schema(&self) -> Schema {
        Schema::new(
            "Every one of some images is shared with every one of some projects, which accept or reject it. Members that others have added stay, unless the share is exclusive.",
            [
                Attribute::string("id", "The first of the images that it began with, in their order, and `+` with the number of the others. An import takes another id, or the identity.").computed().keep(),
                Attribute::strings("image_ids", "The images.").required().check(length(1..=1000)).check(each(id())),
                Attribute::strings("project_ids", "The projects.").check(not_empty()).check(each(id())),
                Attribute::objects("accounts", Nesting::Set, "The projects of accounts, by their names in the directory.", account_attributes())
                    .check(not_empty()),
                Attribute::bool("exclusive", "Whether members that are not listed here are removed, whoever added them.")
                    .default(false),
                Attribute::string(
                    "wait_for",
                    "What an apply waits for: `job`, until the images are shared; `decision`, until all projects have accepted or rejected them; `none`.",
                )
                .default("job")
                .check(one_of(&["none", "job", "decision"]))
                .local(),
                Attribute::string_map("account_project_ids", "The projects that the accounts stand for, by `ACCOUNT` or `ACCOUNT/PROJECT`.")
                    .computed(),
                Attribute::string_map("members", "The status of each pair, by `IMAGE/PROJECT`: `pending`, `accepted` or `rejected`.")
                    .computed(),
            ],
        )
        .rule(Rule::AtLeastOne(&["project_ids", "accounts"]))
        .timeouts(&[Operation::Create, Operation::Update, Operation::Delete])
    }

    fn identity(&self) -> &'static [&'static str] {
        &["image_ids", "project_ids"]
    }

    async fn plan(&self, context: &mut Context<'_, Client>, plan: &mut Plan<'_>) -> Result<(), Diagnostic> {
        let accounts = plan.config.get("accounts");
        if accounts.is_null() {
            plan.state.set("account_project_ids", Value::Null);
        } else if !accounts.has_unknown() {
            // An account whose project has changed shows here, and is followed.
            let projects = wanted::plan_accounts(context, plan.config).await?;
            plan.state.set("account_project_ids", projects);
            if plan.changes("account_project_ids") {
                plan.state.set("members", Value::unknown());
            }
        }
        if plan.changes_anything()
            && !plan.config.get("image_ids").has_unknown()
            && !plan.state.get("project_ids").has_unknown()
            && !plan.state.get("account_project_ids").has_unknown()
        {
            wanted::check_limits(context.client, &plan.state).await?;
            // Afterwards, members that others have added are in the state, so that the plan itself names them.
            if plan.changes("exclusive") && plan.config.bool("exclusive") == Some(true) {
                wanted::name_removed(context, &plan.state).await?;
            }
        }
        Ok(())
    }

    async fn create(&self, context: &mut Context<'_, Client>, create: &mut Create) -> Result<(), Diagnostic> {
        let mut wanted = Wanted::of(context.client, &create.plan).await?;
        wanted.id = id_of(&wanted.images);
        let applied = apply(context, &wanted, None).await?;
        if applied.shares_something() {
            create.state = Some(wanted.state(&create.plan, &applied.members));
            // An error would make Terraform replace the share, and take from its recipients what they have accepted.
            context.diagnostics.extend(applied.problems.into_iter().map(as_warning));
            wait_for_decisions(context, &wanted, &create.plan, &mut create.state).await;
            return Ok(());
        }
        let has_errors = applied.problems.has_errors();
        context.diagnostics.extend(applied.problems);
        if has_errors {
            return Ok(());
        }
        Err(Diagnostic::error("Nothing was shared", "No membership was made. Apply again."))
    }

    async fn read(&self, context: &mut Context<'_, Client>, read: &mut Read) -> Result<(), Diagnostic> {
        let Some(mut state) = read.state.take() else { return Ok(()) };
        if read.is_import {
            state.set("id", id_of(&texts(&state, "image_ids")));
        }
        if !read.is_import && is_shared_by_a_job(context).await {
            // What the job will have done is not there yet.
            read.state = Some(state);
            return Ok(());
        }
        read.state = read_state(context, &state, read.is_import).await?;
        Ok(())
    }

    async fn update(&self, context: &mut Context<'_, Client>, update: &mut Update) -> Result<(), Diagnostic> {
        let mut wanted = Wanted::of(context.client, &update.plan).await?;
        wanted.id = text(&update.prior, "id");
        let before = Wanted::of_state(&update.prior);
        let applied = apply(context, &wanted, Some(&before)).await?;
        update.state = wanted.state(&update.plan, &applied.members);
        if applied.problems.has_errors() {
            // What is really shared, so that the next plan has only the rest.
            update.state = applied.shared_state(&wanted, &update.plan);
        }
        let is_complete = !applied.problems.has_errors();
        context.diagnostics.extend(applied.problems);
        if is_complete {
            let mut state = Some(update.state.clone());
            wait_for_decisions(context, &wanted, &update.plan, &mut state).await;
            update.state = state.unwrap_or_default();
        }
        Ok(())
    }

    async fn delete(&self, context: &mut Context<'_, Client>, delete: &mut Delete) -> Result<(), Diagnostic> {
        let wanted = Wanted::of_state(&delete.state);
        let problems = pairs::remove(context, wanted.pairs()).await;
        context.diagnostics.extend(problems);
        Ok(())
    }

    fn parse_import_id(&self, id: &str) -> Result<Object, String> {
        let (images, projects) =
            id.split_once('/').map_or((id, None), |(images, projects)| (images, Some(projects)));
        let ids = |list: &str| {
            let ids: BTreeSet<String> = list.split(',').map(str::to_owned).collect();
            if ids.iter().any(String::is_empty) { None } else { Some(ids) }
        };
        let expected = || {
            format!(
                "Expected <image_id>[,<image_id>…] for all members, or <image_ids>/<project_id>[,<project_id>…] for these, found {id:?}."
            )
        };
        let images = ids(images).ok_or_else(expected)?;
        let state = Object::new().with("image_ids", images);
        match projects {
            None => Ok(state),
            Some(projects) => Ok(state.with("project_ids", ids(projects).ok_or_else(expected)?)),
        }
    }

    /// Takes over what the providers of OpenStack and Open Telekom Cloud call a member of an image.
    fn adopt(&self, moved: &crate::server::Moved) -> Option<Result<Object, Diagnostic>> {
        let known = ["openstack_images_image_access_v2", "opentelekomcloud_images_image_access_v2"];
        known.contains(&moved.type_name.as_str()).then(|| {
            let one = |name: &str| moved.str(name).into_iter().collect::<BTreeSet<_>>();
            Ok(Object::new()
                .with("id", id_of(&one("image_id")))
                .with("image_ids", one("image_id"))
                .with("project_ids", one("member_id"))
                .with("exclusive", false)
                .with("wait_for", "job"))
        })
    }
}

/// The id of a share that begins with these images: short, however many there are.
fn id_of(images: &BTreeSet<String>) -> String {
    let mut images = images.iter();
    let first = images.next().cloned().unwrap_or_default();
    match images.len() {
        0 => first,
        others => format!("{first}+{others}"),
    }
}

/// The same text as a warning.
fn as_warning(problem: Diagnostic) -> Diagnostic {
    Diagnostic::warning(problem.summary(), problem.detail()).at(problem.path().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_is_short_however_many_images_there_are() {
        let id = |count: usize| id_of(&(0..count).map(|number| format!("image-{number:04}")).collect());
        assert_eq!((id(1).as_str(), id(1000).as_str()), ("image-0000", "image-0000+999"));
    }
}
