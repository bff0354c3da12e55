//! What a share is to be: images, projects, and the projects that accounts stand for.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Diagnostic, Object, Status, account_names, failed, text, texts};
use crate::api::{AccountName, Client, ErrorKind, Membership, Pair};
use crate::server::Context;
use crate::value::Value;

/// How many names are looked up at the same time.
const LOOKUPS_AT_A_TIME: usize = 8;

/// How many removed members a warning names.
const NAMED: usize = 20;

/// A share as it is to be, or as a state says that it was.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) images: BTreeSet<String>,
    pub(super) projects: BTreeSet<String>,
    pub(super) accounts: Resolved,
    pub(super) is_exclusive: bool,
}

/// Accounts with the projects that they stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved(BTreeMap<String, String>);

impl Resolved {
    /// As the attribute `account_project_ids`.
    pub(super) fn value(&self) -> Value {
        if self.0.is_empty() { Value::Null } else { self.0.clone().into() }
    }

    /// As the attribute was in a state, without these projects.
    pub(super) fn without(state: &Object, projects: &BTreeSet<String>) -> Value {
        let mut resolved = Self::of_state(state);
        resolved.0.retain(|_, project| !projects.contains(project));
        resolved.value()
    }

    fn of_state(state: &Object) -> Self {
        let known = state.map("account_project_ids").into_iter().flatten();
        Self(known.filter_map(|(name, project)| Some((name.clone(), project.as_str()?.to_owned()))).collect())
    }
}

/// The key of an account in `account_project_ids`.
fn key(name: &AccountName) -> String {
    match &name.project {
        Some(project) => format!("{}/{project}", name.name),
        None => name.name.clone(),
    }
}

/// Looks up accounts. Returns those that are found, and the keys of those that the directory does not have. Costs one
/// call for each.
async fn look_up(
    client: &Client,
    names: BTreeSet<AccountName>,
) -> Result<(Resolved, Vec<String>), Diagnostic> {
    let look_up = |name: AccountName| async move {
        let found = client.find_tenant(&name).await;
        let found = found.map_err(|error| {
            failed(format!("Account {} is not known", key(&name)), &error, &[]).at("accounts")
        })?;
        Ok((key(&name), found.map(|tenant| tenant.project_id)))
    };
    let names: Vec<_> = names.into_iter().map(look_up).collect();
    let found: Vec<_> = stream::iter(names).buffer_unordered(LOOKUPS_AT_A_TIME).try_collect().await?;
    let (mut resolved, mut missing) = (Resolved::default(), Vec::new());
    for (name, project) in found {
        match project {
            Some(project) => drop(resolved.0.insert(name, project)),
            None => missing.push(name),
        }
    }
    Ok((resolved, missing))
}

/// The projects that the accounts of a plan stand for; unknown if the directory does not have one of them yet, since the
/// apply may enter it.
pub(super) async fn plan_accounts(
    context: &mut Context<'_, Client>,
    config: &Object,
) -> Result<Value, Diagnostic> {
    let (resolved, missing) = look_up(context.client, account_names(config)).await?;
    if missing.is_empty() {
        return Ok(resolved.value());
    }
    let detail = "The directory does not have it yet. The apply looks again, and fails if that is still so.";
    let warning = Diagnostic::warning(format!("Account {} is not known", missing.join(", ")), detail);
    context.diagnostics.push(warning.at("accounts"));
    Ok(Value::unknown())
}

/// The projects that the accounts of a plan stand for.
async fn resolve(client: &Client, plan: &Object) -> Result<Resolved, Diagnostic> {
    let (resolved, missing) = look_up(client, account_names(plan)).await?;
    if missing.is_empty() {
        return Ok(resolved);
    }
    let detail = "The directory has no such account or project in this region. Check the spelling of both names, or give the project's id in project_ids.";
    Err(Diagnostic::error(format!("Account {} is not known", missing.join(", ")), detail).at("accounts"))
}

impl Wanted {
    /// What a plan wants. The accounts are looked up, unless the plan has their projects already.
    pub(super) async fn of(client: &Client, plan: &Object) -> Result<Self, Diagnostic> {
        let mut wanted = Self::of_state(plan);
        if plan.get("account_project_ids").is_unknown() {
            wanted.accounts = resolve(client, plan).await?;
        }
        Ok(wanted)
    }

    /// What a state says.
    pub(super) fn of_state(state: &Object) -> Self {
        Self {
            id: text(state, "id"),
            images: texts(state, "image_ids"),
            projects: texts(state, "project_ids"),
            accounts: Resolved::of_state(state),
            is_exclusive: state.bool("exclusive").unwrap_or_default(),
        }
    }

    /// The projects, with those of the accounts.
    pub(super) fn all_projects(&self) -> BTreeSet<String> {
        self.projects.iter().chain(self.accounts.0.values()).cloned().collect()
    }

    /// Each image with each project.
    pub(super) fn pairs(&self) -> BTreeSet<Pair> {
        let projects = self.all_projects();
        let pair =
            |image: &String, project: &String| Pair { image_id: image.clone(), project_id: project.clone() };
        self.images
            .iter()
            .flat_map(|image| projects.iter().map(move |project| pair(image, project)))
            .collect()
    }

    /// The state of the share, as `plan` is. `members` are those that it has.
    pub(super) fn state(&self, plan: &Object, members: &BTreeMap<Pair, Status>) -> Object {
        plan.clone()
            .with("id", &self.id)
            .with("account_project_ids", self.accounts.value())
            .with("members", members_value(members))
    }
}

/// Members as the attribute `members`.
pub(super) fn members_value(members: &BTreeMap<Pair, Status>) -> Value {
    let named = members.iter().map(|(pair, status)| {
        (format!("{}/{}", pair.image_id, pair.project_id), Value::from(status.as_str()))
    });
    Value::Map(named.collect())
}

/// The statuses of memberships, by pair.
pub(super) fn by_pair(memberships: Vec<Membership>) -> BTreeMap<Pair, Status> {
    memberships.into_iter().map(|one| (one.pair(), one.status)).collect()
}

/// Refuses a plan that the service's limits do not permit.
pub(super) async fn check_limits(client: &Client, plan: &Object) -> Result<(), Diagnostic> {
    let projects = Wanted::of_state(plan).all_projects().len();
    let limits = match client.limits().await {
        Ok(limits) => limits,
        // Whether the service can be reached, the apply will tell.
        Err(error) if matches!(error.kind, ErrorKind::Unreachable | ErrorKind::TimedOut) => return Ok(()),
        Err(error) => return Err(failed("The limits of the service could not be read", &error, &[])),
    };
    match limits.members_per_image {
        Some(most) if usize::try_from(most).is_ok_and(|most| projects > most) => {
            let detail =
                format!("The service shares an image with at most {most} projects; these are {projects}.");
            Err(Diagnostic::error("Too many projects", detail).at("project_ids"))
        }
        _ => Ok(()),
    }
}

/// Warns of the members that a share removes when it becomes exclusive. Costs one call for each 1,000 of them.
pub(super) async fn name_removed(context: &mut Context<'_, Client>, plan: &Object) -> Result<(), Diagnostic> {
    let wanted = Wanted::of_state(plan);
    let members = context.client.members_of(&wanted.images).await;
    let members = members.map_err(|error| failed("The members could not be read", &error, &[]))?;
    let pairs = wanted.pairs();
    let removed: Vec<_> = members.iter().map(Membership::pair).filter(|pair| !pairs.contains(pair)).collect();
    if !removed.is_empty() {
        let named: Vec<_> =
            removed.iter().take(NAMED).map(|pair| format!("{}/{}", pair.image_id, pair.project_id)).collect();
        let more = removed.len().checked_sub(named.len()).filter(|more| *more > 0);
        let more = more.map(|more| format!(" and {more} more")).unwrap_or_default();
        let detail =
            format!("Since exclusive = true, these members are removed: {}{more}.", named.join(", "));
        context.diagnostics.push(Diagnostic::warning("Members will be removed", detail).at("exclusive"));
    }
    Ok(())
}
