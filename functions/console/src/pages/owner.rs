//! Trust or block an owner, by its id or its names.

use askama::Template;
use http::StatusCode;
use imageshare::domain::{
    Name, Policy, PolicyKind, ResolveError, TenantId, TenantName, VaultId, authorize_write,
};
use imageshare::usecases::{self, DirectoryError, OwnerPolicyError};

use super::owners::PATH;
use crate::frame::{Frame, Section};
use crate::problems::Problems;
use crate::reply::Reply;
use crate::texts::fill;
use crate::visit::Visit;
use crate::wording::Refusal;

/// The most vaults to choose from.
const MAX_VAULTS: usize = 100;

#[derive(Template)]
#[template(path = "owner.html")]
struct OwnerForm {
    frame: Frame,
    may_write: bool,
    problems: Problems,
    /// Whether the policy is new, so that its owner can be chosen.
    is_new: bool,
    owner: String,
    account: String,
    project: String,
    /// The policy: its name.
    policy: String,
    vaults: Vec<Choice>,
    has_more_vaults: bool,
}

/// A vault of the list.
struct Choice {
    id: String,
    is_chosen: bool,
}

/// The fields of the form, as they were entered.
#[derive(Default)]
struct Entered {
    owner: String,
    account: String,
    project: String,
    policy: String,
    vault: String,
}

impl Entered {
    fn of(visit: &Visit<'_>) -> Self {
        let [owner, account, project, policy, vault] =
            ["owner", "account", "project", "policy", "vault"].map(|name| visit.form.text(name).to_owned());
        Self { owner, account, project, policy, vault }
    }
}

/// Shows the form for a new policy. Costs a query, and what the frame does, at the same time.
pub(crate) async fn show_new(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let owner = visit.query.text("owner").to_owned();
    let entered = Entered { owner, ..Entered::default() };
    form(visit, StatusCode::OK, (entered, true), Problems::default()).await
}

/// Shows the form for a policy that exists. Costs one read, and what [`show_new`] does.
pub(crate) async fn show_edit(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let owner: TenantId = visit.query.text("owner").parse().map_err(|_| Refusal::NoSuchPage)?;
    let record = usecases::show_owner_policy(&visit.app, visit.caller(), owner).await?;
    let policy = &record.policy.policy;
    let entered = Entered {
        owner: record.owner.to_string(),
        policy: policy.kind().to_string(),
        vault: policy.vault().map(ToString::to_string).unwrap_or_default(),
        ..Entered::default()
    };
    form(visit, StatusCode::OK, (entered, false), Problems::default()).await
}

/// Sets the policy on an owner. Costs a read or a query for names, and what the use case does.
pub(crate) async fn save(visit: &Visit<'_>, is_new: bool) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let entered = Entered::of(visit);
    let mut problems = Problems::default();
    let owner = find_owner(visit, &entered, &mut problems).await?;
    let policy = policy(visit, &entered, &mut problems);
    let (Some(owner), Some(policy)) = (owner, policy) else {
        return form(visit, StatusCode::BAD_REQUEST, (entered, is_new), problems).await;
    };
    let texts = &visit.texts.received;
    let status = match usecases::put_owner_policy(&visit.app, visit.caller(), owner, policy).await {
        Ok(_) => return Ok(Reply::redirect(format!("{PATH}?done=saved"))),
        Err(OwnerPolicyError::OwnProject(_)) => {
            problems.add("owner", texts.own_project);
            StatusCode::BAD_REQUEST
        }
        Err(OwnerPolicyError::NoVault(_)) => {
            problems.add("vault", texts.vault_gone);
            StatusCode::BAD_REQUEST
        }
        Err(OwnerPolicyError::LimitReached(most)) => {
            problems.add("owner", fill(texts.too_many_policies, &[("most", &most.to_string())]));
            StatusCode::CONFLICT
        }
        Err(problem) => return Err(problem.into()),
    };
    form(visit, status, (entered, is_new), problems).await
}

/// The owner that the form names, by its id or its names; adds a problem if it names none.
async fn find_owner(
    visit: &Visit<'_>,
    entered: &Entered,
    problems: &mut Problems,
) -> Result<Option<TenantId>, Refusal> {
    let texts = &visit.texts.received;
    if !entered.owner.is_empty() {
        let owner = entered.owner.parse().ok();
        if owner.is_none() {
            problems.add("owner", texts.bad_owner_id);
        }
        return Ok(owner);
    }
    if entered.account.is_empty() {
        problems.add("owner", texts.name_an_owner);
        return Ok(None);
    }
    let Ok(account) = entered.account.parse::<Name>() else {
        problems.add("account", texts.bad_name);
        return Ok(None);
    };
    let project = if entered.project.is_empty() { Ok(None) } else { entered.project.parse().map(Some) };
    let Ok(project) = project else {
        problems.add("project", texts.bad_name);
        return Ok(None);
    };
    let problem = match usecases::find_tenant(&visit.app, &TenantName { account, project }).await {
        Ok(entry) => return Ok(Some(entry.tenant)),
        Err(DirectoryError::Unresolved(problem)) => problem,
        Err(problem) => return Err(problem.into()),
    };
    match problem {
        ResolveError::Unknown => problems.add("account", texts.unknown_owner),
        ResolveError::Ambiguous => problems.add("project", texts.several_projects),
        ResolveError::OtherRegion => problems.add("account", texts.other_region),
    }
    Ok(None)
}

/// The policy that the form sets; adds a problem for each field that is wrong.
fn policy(visit: &Visit<'_>, entered: &Entered, problems: &mut Problems) -> Option<Policy> {
    let texts = &visit.texts.received;
    match entered.policy.parse() {
        Ok(PolicyKind::Blocked) => Some(Policy::Blocked),
        Ok(PolicyKind::Trusted) if entered.vault.is_empty() => Some(Policy::Trusted { vault: None }),
        Ok(PolicyKind::Trusted) => {
            let vault: Option<VaultId> = entered.vault.parse().ok();
            if vault.is_none() {
                problems.add("vault", texts.vault_gone);
            }
            vault.map(|vault| Policy::Trusted { vault: Some(vault) })
        }
        Err(_) => {
            problems.add("policy", texts.choose_policy);
            None
        }
    }
}

/// The form, with what was entered and what is wrong with it.
async fn form(
    visit: &Visit<'_>,
    status: StatusCode,
    (entered, is_new): (Entered, bool),
    problems: Problems,
) -> Result<Reply, Refusal> {
    let vaults = async { Ok(usecases::list_vaults(&visit.app, visit.caller(), None, MAX_VAULTS).await?) };
    let (frame, page) = tokio::try_join!(Frame::load(visit, Some(Section::Owners)), vaults)?;
    let mut vaults: Vec<_> = page.items.iter().map(|record| record.id.to_string()).collect();
    // The policy may name a vault that is beyond the list, or deleted.
    if !entered.vault.is_empty() && !vaults.contains(&entered.vault) {
        vaults.push(entered.vault.clone());
    }
    let choice = |id: String| Choice { is_chosen: id == entered.vault, id };
    Ok(Reply::with_status(
        status,
        &OwnerForm {
            frame,
            may_write: visit.may_write(),
            problems,
            is_new,
            vaults: vaults.into_iter().map(choice).collect(),
            has_more_vaults: page.next.is_some(),
            owner: entered.owner,
            account: entered.account,
            project: entered.project,
            policy: entered.policy,
        },
    ))
}
