//! The pairs of a share: what is shared, what is to be changed, and how that goes.

use std::collections::{BTreeMap, BTreeSet};

use super::wanted::{Resolved, Wanted, by_pair, members_value};
use super::{Diagnostic, Diagnostics, MembershipChange, Object, Status, failed};
use crate::api::{ApiError, Changed, Client, ErrorKind, Pair, Wait};
use crate::resources::support::{stopped, unless_empty, wait};
use crate::server::Context;

/// Where the ids of jobs that go on are kept, beside the state.
const JOBS: &str = "jobs";

/// How many pairs that failed are named, each by an error of its own.
const NAMED_FAILURES: usize = 50;

/// The codes of refusals that are about an image: it does not exist, is not the project's, is hidden, or is public.
const IMAGE_CODES: [&str; 4] = ["IMG.0027", "IMG.0047", "IMG.0089", "IMG.0105"];

/// What an apply has done.
pub(super) struct Applied {
    /// The wanted pairs that are shared now.
    pub(super) members: BTreeMap<Pair, Status>,
    /// Errors, one for each pair that failed, and warnings.
    pub(super) problems: Diagnostics,
    is_going_on: bool,
}

impl Applied {
    /// Whether anything is shared, or may be by a job that goes on.
    pub(super) fn shares_something(&self) -> bool {
        self.is_going_on || !self.members.is_empty()
    }

    /// The state with the images and projects that are really shared.
    pub(super) fn shared_state(&self, wanted: &Wanted, plan: &Object) -> Object {
        let state = wanted.state(plan, &self.members);
        match reduce(wanted, &self.members) {
            Some(shared) => shared.write(state),
            None => state,
        }
    }
}

/// Makes what is shared what is wanted: removes first, so that limits hold, then adds. `before` is what the share was,
/// which it may remove; an exclusive one removes everything else.
///
/// # Errors
/// What is shared cannot be read. Nothing was changed then.
pub(super) async fn apply(
    context: &mut Context<'_, Client>,
    wanted: &Wanted,
    before: Option<&Wanted>,
) -> Result<Applied, Diagnostic> {
    let wait = wait(context);
    let pairs = wanted.pairs();
    let mut problems = Diagnostics::default();
    let mut to_add = pairs.clone();
    let mut to_remove = BTreeSet::new();
    if before.is_some() || wanted.is_exclusive {
        let shared = read_around(context.client, wanted, before).await;
        let shared = shared.map_err(|error| failed("The members could not be read", &error, &[]))?;
        to_add.retain(|pair| !shared.contains_key(pair));
        let own = before.map(Wanted::pairs).unwrap_or_default();
        let is_ours =
            |pair: &Pair| wanted.is_exclusive && wanted.images.contains(&pair.image_id) || own.contains(pair);
        to_remove = shared.into_keys().filter(|pair| !pairs.contains(pair) && is_ours(pair)).collect();
    }
    let removed = context.client.change_memberships(MembershipChange::Unshare, &to_remove, &wait).await;
    let added = context.client.change_memberships(MembershipChange::Share, &to_add, &wait).await;
    keep_jobs(context, &[&removed, &added]);
    report(&removed, "unshared from", &mut problems);
    report(&added, "shared with", &mut problems);
    let is_going_on = !added.unfinished.is_empty();
    let members = context.client.memberships_between(&wanted.images, &wanted.all_projects()).await;
    let members = members.map_err(|error| failed("The members could not be read", &error, &[]));
    let members = problems.take(members).map(by_pair).unwrap_or_default();
    Ok(Applied { members, problems, is_going_on })
}

/// What is shared of the pairs that are wanted, and of those that a change may remove.
async fn read_around(
    client: &Client,
    wanted: &Wanted,
    before: Option<&Wanted>,
) -> Result<BTreeMap<Pair, Status>, ApiError> {
    let mut shared = BTreeMap::new();
    if wanted.is_exclusive {
        shared.extend(by_pair(client.members_of(&wanted.images).await?));
    } else {
        shared.extend(by_pair(client.memberships_between(&wanted.images, &wanted.all_projects()).await?));
    }
    if let Some(before) = before {
        shared.extend(by_pair(client.memberships_between(&before.images, &before.all_projects()).await?));
    }
    Ok(shared)
}

/// Unshares pairs, also those that are not shared or whose image is gone. Returns what failed.
pub(super) async fn remove(context: &mut Context<'_, Client>, pairs: BTreeSet<Pair>) -> Diagnostics {
    let wait = wait(context);
    let mut problems = Diagnostics::default();
    let mut changed = context.client.change_memberships(MembershipChange::Unshare, &pairs, &wait).await;
    if changed.errors.iter().any(ApiError::is_missing) {
        // One image that is gone refuses a whole call.
        match existing(context.client, pairs).await {
            Ok(existing) => {
                let unshare = MembershipChange::Unshare;
                changed = context.client.change_memberships(unshare, &existing, &wait).await;
            }
            Err(error) => problems.push(failed("The images could not be read", &error, &[])),
        }
    }
    changed.errors.retain(|error| !error.is_missing());
    report_removal(changed, &mut problems);
    problems
}

/// As [`report`], but an interrupt is an error: without one, Terraform would forget a share that is still there.
fn report_removal(mut changed: Changed, problems: &mut Diagnostics) {
    if std::mem::take(&mut changed.is_cut_short) {
        let detail = "Terraform was interrupted before everything was unshared. Destroy again.";
        problems.push(Diagnostic::error("Some images are still shared", detail));
    }
    report(&changed, "unshared from", problems);
}

/// The pairs whose images exist.
async fn existing(client: &Client, pairs: BTreeSet<Pair>) -> Result<BTreeSet<Pair>, ApiError> {
    let images: BTreeSet<&String> = pairs.iter().map(|pair| &pair.image_id).collect();
    let images =
        futures_util::future::try_join_all(images.into_iter().map(|image| client.image(image))).await?;
    let images: BTreeSet<String> = images.into_iter().flatten().map(|image| image.id).collect();
    Ok(pairs.into_iter().filter(|pair| images.contains(&pair.image_id)).collect())
}

/// Reads what is shared, and returns the state of the share; `None` if nothing of it is shared any more.
pub(super) async fn read_state(
    context: &mut Context<'_, Client>,
    state: &Object,
    is_import: bool,
) -> Result<Option<Object>, Diagnostic> {
    let wanted = Wanted::of_state(state);
    let is_whole = wanted.is_exclusive || is_import && wanted.projects.is_empty();
    let members = if is_whole {
        context.client.members_of(&wanted.images).await
    } else {
        context.client.memberships_between(&wanted.images, &wanted.all_projects()).await
    };
    let members = by_pair(members.map_err(|error| failed("The members could not be read", &error, &[]))?);
    let mut shared = reduce(&wanted, &members);
    if let Some(shared) = shared.as_mut().filter(|_| is_whole) {
        // Members that others have added show as projects, so that the plan names them.
        let own = wanted.all_projects();
        shared.projects.extend(
            members.keys().map(|pair| pair.project_id.clone()).filter(|project| !own.contains(project)),
        );
    }
    Ok(shared.map(|shared| shared.write(state.clone().with("members", members_value(&members)))))
}

/// The part of a share that is wholly shared.
struct Shared {
    images: BTreeSet<String>,
    projects: BTreeSet<String>,
    missing_accounts: BTreeSet<String>,
}

/// Leaves out images that are shared with none of the projects, then projects that one of the other images is not shared
/// with. `None` if nothing is left.
fn reduce(wanted: &Wanted, members: &BTreeMap<Pair, Status>) -> Option<Shared> {
    let with_members: BTreeSet<&String> = members.keys().map(|pair| &pair.image_id).collect();
    let images: BTreeSet<String> =
        wanted.images.iter().filter(|image| with_members.contains(image)).cloned().collect();
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for pair in members.keys() {
        *counts.entry(&pair.project_id).or_default() += 1;
    }
    let is_shared = |project: &String| counts.get(project).is_some_and(|count| *count == images.len());
    let projects = wanted.projects.iter().filter(|project| is_shared(project)).cloned().collect();
    let missing_accounts = wanted.all_projects().into_iter().filter(|project| !is_shared(project)).collect();
    (!images.is_empty()).then_some(Shared { images, projects, missing_accounts })
}

impl Shared {
    fn write(self, state: Object) -> Object {
        let projects =
            unless_empty(self.projects.clone(), self.projects.is_empty(), state.get("project_ids"));
        let resolved = Resolved::without(&state, &self.missing_accounts);
        state
            .with("image_ids", self.images)
            .with("project_ids", projects)
            .with("account_project_ids", resolved)
    }
}

/// Adds an error for each pair that failed, and warnings for what goes on. `relation` stands between image and project.
fn report(changed: &Changed, relation: &str, problems: &mut Diagnostics) {
    for error in &changed.errors {
        let attribute = match error.code() {
            Some(code) if IMAGE_CODES.contains(&code) => "image_ids",
            _ if error.field().is_some_and(|field| field.starts_with("accounts")) => "accounts",
            _ => "project_ids",
        };
        let diagnostic = Diagnostic::error(format!("Images were not {relation} projects"), error.to_string());
        let is_at_an_argument = matches!(
            error.kind,
            ErrorKind::Invalid { .. } | ErrorKind::Missing | ErrorKind::Forbidden { .. }
        );
        problems.push(if is_at_an_argument { diagnostic.at(attribute) } else { diagnostic });
    }
    let failures: Vec<_> = changed.failures().collect();
    for result in failures.iter().take(NAMED_FAILURES) {
        let summary = format!("Image {} was not {relation} project {}", result.image_id, result.project_id);
        let code = result.error_code.as_deref().unwrap_or_default();
        let message = result.error_msg.as_deref().unwrap_or("The service does not say why.");
        let advice = match code {
            "IMG.0099" => format!(
                " Add a resource imageshare_key_grant for the key and project {}, and have this one depend on it.",
                result.project_id
            ),
            _ => String::new(),
        };
        problems.push(Diagnostic::error(summary, format!("{message}{advice} [{code}]")).at("project_ids"));
    }
    if let Some(more @ 1..) = failures.len().checked_sub(NAMED_FAILURES) {
        problems.push(
            Diagnostic::error(format!("{more} more pairs failed"), "See the job for all of them.")
                .at("project_ids"),
        );
    }
    if changed.is_cut_short {
        let detail =
            "Terraform was interrupted before everything was requested. The next plan shows the rest.";
        problems.push(Diagnostic::warning(format!("Some images were not {relation} projects"), detail));
    }
    for (job, reason) in &changed.unfinished {
        let detail = format!(
            "Job {job} is {}; it goes on. The next plan shows what is still missing.",
            stopped(*reason)
        );
        problems.push(Diagnostic::warning(format!("Images are still being {relation} projects"), detail));
    }
}

/// Remembers the jobs that go on.
fn keep_jobs(context: &mut Context<'_, Client>, changes: &[&Changed]) {
    let jobs: Vec<String> =
        changes.iter().flat_map(|changed| changed.unfinished.iter().map(|(job, _)| job.clone())).collect();
    if jobs.is_empty() {
        context.private.remove(JOBS);
    } else {
        context.private.set(JOBS, jobs);
    }
}

/// Whether a job of an earlier apply still goes on, so that what is missing is not drift. Forgets jobs that have ended.
pub(super) async fn is_shared_by_a_job(context: &mut Context<'_, Client>) -> bool {
    let jobs: Vec<String> = context
        .private
        .get(JOBS)
        .cloned()
        .and_then(|jobs| serde_json::from_value(jobs).ok())
        .unwrap_or_default();
    for job in &jobs {
        // One that cannot be read any more has ended long ago.
        if let Ok(Some(job)) = context.client.job(job).await
            && !job.status.has_ended()
        {
            return true;
        }
    }
    context.private.remove(JOBS);
    false
}

/// Waits until no project is undecided, if the plan says so, and brings the members of the state up to date.
pub(super) async fn wait_for_decisions(
    context: &mut Context<'_, Client>,
    wanted: &Wanted,
    plan: &Object,
    state: &mut Option<Object>,
) {
    if plan.str("wait_for") != Some("decision") {
        return;
    }
    let wait = wait(context);
    for pause in Wait::pauses() {
        let members = match context.client.memberships_between(&wanted.images, &wanted.all_projects()).await {
            Ok(members) => by_pair(members),
            Err(error) => {
                context.diagnostics.push(failed("The members could not be read", &error, &[]));
                return;
            }
        };
        if let Some(state) = state {
            state.set("members", members_value(&members));
        }
        let undecided = members.values().filter(|status| **status == Status::Pending).count();
        if undecided == 0 {
            return;
        }
        if let Err(reason) = wait.pause(pause).await {
            let detail = format!(
                "{undecided} of {} memberships are pending; waiting was {}.",
                members.len(),
                stopped(reason)
            );
            context.diagnostics.warn("Not all projects have decided", detail);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn members(pairs: &[(&str, &str)]) -> BTreeMap<Pair, Status> {
        let pair = |(image, project): &(&str, &str)| Pair {
            image_id: (*image).to_owned(),
            project_id: (*project).to_owned(),
        };
        pairs.iter().map(|one| (pair(one), Status::Pending)).collect()
    }

    #[test]
    fn missing_pair_shows_as_a_missing_project() {
        let wanted = Wanted { images: ids(&["a", "b"]), projects: ids(&["p", "q"]), ..Wanted::default() };
        let shared = reduce(&wanted, &members(&[("a", "p"), ("a", "q"), ("b", "p")])).expect("a share");
        assert_eq!((shared.images, shared.projects), (ids(&["a", "b"]), ids(&["p"])));
    }

    #[test]
    fn interrupted_removal_is_an_error_and_keeps_the_share() {
        let cut_short = || Changed { is_cut_short: true, ..Changed::default() };
        let mut problems = Diagnostics::default();
        report(&cut_short(), "shared with", &mut problems);
        assert!(!problems.has_errors());
        report_removal(cut_short(), &mut problems);
        assert!(problems.has_errors());
    }

    #[test]
    fn image_without_members_shows_as_a_missing_image() {
        let wanted = Wanted { images: ids(&["a", "b"]), projects: ids(&["p", "q"]), ..Wanted::default() };
        let shared = reduce(&wanted, &members(&[("a", "p"), ("a", "q")])).expect("a share");
        assert_eq!((shared.images, shared.projects), (ids(&["a"]), ids(&["p", "q"])));
        assert!(reduce(&wanted, &members(&[])).is_none());
    }
}
