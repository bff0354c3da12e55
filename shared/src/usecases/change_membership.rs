//! Change one membership at once: its owner adds or removes a member, a member answers.
//!
//! Such a change is a job of one pair that is decided and written on the spot: one batch read, and one transaction which
//! demands that what was read is still so. It is stamped above everything that formed the membership, since it is done
//! after all of that; a job that was requested earlier and is carried out later finds the stamp and gives way to it. Where an
//! earlier job on the same pair is open, it is waited for: what was acknowledged counts as done.

use std::time::Duration;

use super::UseCaseError;
use super::access::{MemberAction, authorize};
use super::directory::reject_names_as_ids;
use super::earlier_jobs::{Backoff, wait_for_earlier_jobs};
use super::idempotency::find_created_id;
use super::list_members::show_member;
use super::tenant_clocks::raise_tenant_clocks;
use crate::App;
use crate::domain::{
    Active, Caller, ImageAction, ImageHead, ImageId, Job, JobId, MemberView, Membership, NamedMembership,
    Outcome, Plan, Rules, Status, Task, TenantId, UnknownValue, VaultId,
};
use crate::store::{Commit, IdempotencyRequest, Pair, Snapshot};

/// How often in a row somebody else may change the same things in between.
const MAX_ATTEMPTS: u32 = 20;

/// Shares an image with a tenant that is not a member of it yet. A request that was made before under its idempotency key
/// returns the member as it is now. One batch read and one transaction, and one read more where there is a key.
///
/// # Errors
/// [`UseCaseError`], [`UseCaseError::MemberExists`] before [`UseCaseError::MemberLimit`] (`contract/decisions.md` 6); then
/// nothing was changed.
pub async fn add_member(
    app: &App,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<MemberView, UseCaseError> {
    if was_added(app, idempotency).await? {
        return show_member(app, caller, image, tenant).await;
    }
    let task = |image: &ImageHead, member: Option<&Active>| {
        if *tenant == image.owner {
            return Err(UseCaseError::SelfShare(tenant.clone()));
        }
        match member {
            None => Ok(Task::Share),
            Some(_) => Err(UseCaseError::MemberExists { image: image.id.clone(), tenant: tenant.clone() }),
        }
    };
    let add: Change<'_, _> = (|_| ImageAction::AddMember, task);
    match change_membership(app, caller, (image, tenant), add, idempotency).await {
        Ok(member) => member.ok_or_else(|| UseCaseError::Conflict(image.clone())),
        // Two of the same request were under way.
        Err(UseCaseError::MemberExists { .. }) if was_added(app, idempotency).await? => {
            show_member(app, caller, image, tenant).await
        }
        Err(refusal) => Err(refusal),
    }
}

/// Whether the request has added its member before. One read where it has a key.
async fn was_added(app: &App, idempotency: Option<&IdempotencyRequest>) -> Result<bool, UseCaseError> {
    Ok(find_created_id::<TenantId>(app, idempotency).await?.is_some())
}

/// Ends a tenant's membership of an image. Only the owner can; a member cannot leave (`contract/glance.md` 2.4). One
/// batch read and one transaction.
///
/// # Errors
/// [`UseCaseError`], [`UseCaseError::MemberNotFound`] for a tenant that is no member; then nothing was changed.
pub async fn remove_member(
    app: &App,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
) -> Result<(), UseCaseError> {
    let remove: Change<'_, _> = (ImageAction::RemoveMember, |_: &_, _: Option<&_>| Ok(Task::Unshare));
    change_membership(app, caller, (image, tenant), remove, None).await.map(|_| ())
}

/// Gives a member's answer to an image, its latest one. Only the member itself can. One batch read and one write.
///
/// What is no answer is refused last, when it is known that the caller may give one (`contract/glance.md`, order of
/// checks).
///
/// # Errors
/// [`UseCaseError`]; then nothing was changed.
pub async fn decide_as_member(
    app: &App,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
    (status, vault): (Result<Status, UnknownValue>, Option<VaultId>),
) -> Result<MemberView, UseCaseError> {
    let task =
        |_: &ImageHead, _: Option<&Active>| Ok(Task::Respond { status: status?, vault: vault.clone() });
    let decide: Change<'_, _> = (ImageAction::Decide, task);
    let member = change_membership(app, caller, (image, tenant), decide, None).await?;
    member.ok_or_else(|| UseCaseError::Conflict(image.clone()))
}

/// What a change does: the action that the caller must be allowed, and the task, from the image and the membership as they
/// are.
type Change<'a, F> = (MemberAction<'a>, F);

/// Changes a membership. Returns it as it then is, if it is still active. The request is recorded under its idempotency key,
/// if it has one. A refusal costs one more read.
async fn change_membership<'a, F: Fn(&ImageHead, Option<&Active>) -> Result<Task, UseCaseError>>(
    app: &App,
    caller: &Caller,
    (id, tenant): Pair<'a>,
    change: Change<'a, F>,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Option<MemberView>, UseCaseError> {
    let mut waiting = Backoff::new();
    let mut attempt = 0;
    while attempt < MAX_ATTEMPTS {
        let mut read = app.store.snapshot(&[(id, tenant)], &[tenant, &caller.tenant]).await?;
        match wait_for_earlier_jobs(app, caller, &mut read, (id, tenant), &mut waiting).await? {
            Some(false) => {}
            Some(true) => continue,
            None => return Err(UseCaseError::InProgress(id.clone())),
        }
        attempt += 1;
        let now = app.clock().now();
        let decided = plan_change(app, caller, &mut read, (id, tenant), &change).await;
        let is_settled = match &decided {
            Ok(decision) => {
                let remembered = idempotency.map(|request| (request, tenant));
                let written = app.store.commit_plan(decision, &read, now, None, remembered).await?;
                written == Commit::Committed
            }
            Err(UseCaseError::Store(_)) => true,
            // A job that was carried out between the reading of the membership and that of the queue is in neither.
            Err(_) => app.store.is_membership_unchanged(&read, (id, tenant)).await?,
        };
        if is_settled {
            let decision = decided?;
            let member = decision.changes.first().and_then(|change| {
                let (standing, updated) = (change.membership.active()?, read.update_time(change, now));
                Some(MemberView::new(id.clone(), tenant.clone(), standing, updated))
            });
            return Ok(member);
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
    }
    Err(UseCaseError::Conflict(id.clone()))
}

/// Decides on a change from what was read. Reads what its rules need besides.
async fn plan_change<'a, F: Fn(&ImageHead, Option<&Active>) -> Result<Task, UseCaseError>>(
    app: &App,
    caller: &Caller,
    read: &mut Snapshot,
    (id, tenant): Pair<'a>,
    (action, task): &Change<'a, F>,
) -> Result<Plan, UseCaseError> {
    let rules = app.settings.rules();
    let member = read.membership((id, tenant)).and_then(Membership::active);
    let named = NamedMembership { tenant, status: member.map(Active::status) };
    let image = authorize(app, caller, id, read.image(id), Some(named), action(named)).await?.clone();
    let job = Job {
        id: JobId(app.clock().stamp_after(read.stamps())),
        creator: caller.tenant.clone(),
        task: task(&image, member)?,
        images: vec![id.clone()],
        tenants: vec![tenant.clone()],
        accepted_at: app.clock().now(),
        queues: Vec::new(),
    };
    if job.task == Task::Share {
        reject_names_as_ids(app, caller, read, [tenant]).await?;
    }
    app.store.read_extra(read, &job.task, &[(id, tenant)]).await?;
    let decision = read.plan(&job, 0..1, rules);
    let outcome = decision.outcomes.first().copied().unwrap_or(Outcome::Done);
    check_outcome(outcome, &image, tenant, rules)?;
    raise_tenant_clocks(app, read, [tenant], job.id.0).await?;
    Ok(decision)
}

/// What an outcome says to who asked for it at once.
pub(super) fn check_outcome(
    outcome: Outcome,
    image: &ImageHead,
    tenant: &TenantId,
    rules: Rules<'_>,
) -> Result<(), UseCaseError> {
    let id = || image.id.clone();
    Err(match outcome {
        Outcome::Done => return Ok(()),
        Outcome::ImageDeleted => UseCaseError::ImageNotFound(id()),
        Outcome::NotShareable => UseCaseError::NotShared { image: id(), visibility: image.visibility },
        Outcome::MemberLimit => UseCaseError::MemberLimit {
            image: id(),
            members: image.member_count,
            most: rules.limits.member_limit(image),
        },
        Outcome::NotAMember => UseCaseError::MemberNotFound { image: id(), tenant: tenant.clone() },
        Outcome::RetriesExhausted | Outcome::Superseded => UseCaseError::Conflict(id()),
        outcome => UseCaseError::RuleViolation { image: id(), tenant: tenant.clone(), outcome },
    })
}
