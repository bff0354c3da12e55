//! Change one membership at once: its owner adds or removes a member, a member answers.
//!
//! Such a change is a job of one pair that is decided and written on the spot: one batch read, and one transaction which
//! demands that what was read is still so. It is stamped above everything that formed the membership, since it is done
//! after all of that; a job that was requested earlier and is carried out later finds the stamp and gives way to it. Where an
//! earlier job on the same pair is open, it is waited for: what was acknowledged counts as done.

use std::time::Duration;

use super::UseCaseError;
use super::directory::reject_names_as_ids;
use super::earlier_jobs::{Backoff, wait_for_earlier_jobs};
use super::idempotency::find_created_id;
use super::list_members::{require_shared_image, show_member};
use super::tenant_clocks::raise_tenant_clocks;
use crate::App;
use crate::domain::{
    Active, Caller, ImageHead, ImageId, Job, JobId, MemberView, Membership, Outcome, Plan, Rules, Status,
    Task, TenantId, UnknownValue, VaultId, plan,
};
use crate::store::{Commit, IdempotencyRequest, Pair, Snapshot};

/// How often in a row somebody else may change the same things in between.
const MAX_ATTEMPTS: u32 = 20;

/// Shares an image with a tenant that is no member of it yet. One batch read and one transaction.
///
/// # Errors
/// [`UseCaseError`], [`UseCaseError::MemberExists`] before [`UseCaseError::MemberLimit`] (`contract/decisions.md` 6); then nothing was
/// changed.
pub async fn add_member(
    service: &App,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
) -> Result<MemberView, UseCaseError> {
    add_member_idempotent(service, caller, image, tenant, None).await
}

/// Shares an image with a tenant that is no member of it yet, unless the request was made before under its idempotency key:
/// then the member is returned as it stands. One batch read and one transaction, and one read more where there is a key.
///
/// # Errors
/// [`UseCaseError`], as [`add_member`]; then nothing was changed.
pub async fn add_member_idempotent(
    service: &App,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<MemberView, UseCaseError> {
    if find_created_id(service, idempotency).await?.is_some() {
        return show_member(service, caller, image, tenant).await;
    }
    let task = |image: &ImageHead, member: Option<&Active>| {
        authorize_owner(caller, image)?;
        if *tenant == image.owner {
            return Err(UseCaseError::SelfShare(tenant.clone()));
        }
        match member {
            None => Ok(Task::Share),
            Some(_) => Err(UseCaseError::MemberExists { image: image.id.clone(), tenant: tenant.clone() }),
        }
    };
    match change_membership(service, caller, (image, tenant), task, idempotency).await {
        Ok(member) => member.ok_or_else(|| UseCaseError::Conflict(image.clone())),
        // Two of the same request were under way.
        Err(UseCaseError::MemberExists { .. }) if find_created_id(service, idempotency).await?.is_some() => {
            show_member(service, caller, image, tenant).await
        }
        Err(refusal) => Err(refusal),
    }
}

/// Ends a tenant's membership of an image. Only the owner can; a member cannot leave (`contract/glance.md` 2.4). One
/// batch read and one transaction.
///
/// # Errors
/// [`UseCaseError`], [`UseCaseError::MemberNotFound`] for a tenant that is no member; then nothing was changed.
pub async fn remove_member(
    service: &App,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
) -> Result<(), UseCaseError> {
    let task = |image: &ImageHead, member: Option<&Active>| {
        require_visible_membership(caller, image, tenant, member)?;
        authorize_owner(caller, image)?;
        Ok(Task::Unshare)
    };
    change_membership(service, caller, (image, tenant), task, None).await.map(|_| ())
}

/// Gives a member's answer to an image, its latest one. Only the member itself can. One batch read and one write.
///
/// What is no answer is refused last, when it is known that the caller may give one (`contract/glance.md`, order of
/// checks).
///
/// # Errors
/// [`UseCaseError`]; then nothing was changed.
pub async fn decide_as_member(
    service: &App,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
    (status, vault): (Result<Status, UnknownValue>, Option<VaultId>),
) -> Result<MemberView, UseCaseError> {
    let task = |image: &ImageHead, member: Option<&Active>| {
        require_visible_membership(caller, image, tenant, member)?;
        if !caller.can_write() {
            return Err(UseCaseError::ReadOnly);
        }
        if !caller.can_write_for(tenant) {
            return Err(UseCaseError::ProjectMismatch {
                acting: caller.tenant.clone(),
                named: tenant.clone(),
            });
        }
        Ok(Task::Respond { status: status?, vault: vault.clone() })
    };
    let member = change_membership(service, caller, (image, tenant), task, None).await?;
    member.ok_or_else(|| UseCaseError::Conflict(image.clone()))
}

/// Refuses who may not say with whom the image is shared.
fn authorize_owner(caller: &Caller, image: &ImageHead) -> Result<(), UseCaseError> {
    if caller.can_write_for(&image.owner) {
        Ok(())
    } else if caller.tenant == image.owner {
        Err(UseCaseError::ReadOnly)
    } else {
        Err(UseCaseError::NotOwner(image.id.clone()))
    }
}

/// Refuses who looks for a membership that there is not, or that is another's.
fn require_visible_membership(
    caller: &Caller,
    image: &ImageHead,
    tenant: &TenantId,
    member: Option<&Active>,
) -> Result<(), UseCaseError> {
    if member.is_some() && (caller.can_read_for(&image.owner) || caller.can_read_for(tenant)) {
        Ok(())
    } else {
        Err(UseCaseError::MemberNotFound { image: image.id.clone(), tenant: tenant.clone() })
    }
}

/// Changes a membership of an image that the caller sees as `task` says, which is given the image and the membership as
/// they stand. Returns the membership as it then stands, if it does. The request is remembered by its idempotency key, if it
/// has one. A refusal costs one more read.
async fn change_membership(
    service: &App,
    caller: &Caller,
    (id, tenant): Pair<'_>,
    task: impl Fn(&ImageHead, Option<&Active>) -> Result<Task, UseCaseError>,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Option<MemberView>, UseCaseError> {
    let rules = service.settings.rules();
    let mut waiting = Backoff::new();
    let mut attempt = 0;
    while attempt < MAX_ATTEMPTS {
        let mut read = service.store.snapshot(&[(id, tenant)], &[tenant, &caller.tenant]).await?;
        match wait_for_earlier_jobs(service, caller, &mut read, (id, tenant), &mut waiting).await? {
            Some(false) => {}
            Some(true) => continue,
            None => return Err(UseCaseError::InProgress(id.clone())),
        }
        attempt += 1;
        let now = service.clock().now();
        let decided = plan_change(service, caller, &mut read, (id, tenant), &task).await;
        let is_settled = match &decided {
            Ok(decision) => {
                let remembered = idempotency.map(|request| (request, tenant));
                let written =
                    service.store.commit_plan(decision, &read, rules, now, None, remembered).await?;
                written == Commit::Committed
            }
            Err(UseCaseError::Store(_)) => true,
            // A job that was carried out between the reading of the membership and that of the queue is in neither.
            Err(_) => service.store.is_membership_unchanged(&read, (id, tenant)).await?,
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
async fn plan_change(
    service: &App,
    caller: &Caller,
    read: &mut Snapshot,
    (id, tenant): Pair<'_>,
    task: impl Fn(&ImageHead, Option<&Active>) -> Result<Task, UseCaseError>,
) -> Result<Plan, UseCaseError> {
    let rules = service.settings.rules();
    let current = read.input.memberships.get(&(id.clone(), tenant.clone()));
    let member = current.and_then(Membership::active);
    let image =
        require_shared_image(service, caller, id, read.input.images.get(id), tenant, member.is_some());
    let image = image.await?.clone();
    let job = Job {
        id: JobId(service.clock().stamp_after(read.stamps())),
        creator: caller.tenant.clone(),
        task: task(&image, member)?,
        images: vec![id.clone()],
        tenants: vec![tenant.clone()],
        accepted_at: service.clock().now(),
        queues: Vec::new(),
    };
    if job.task == Task::Share {
        reject_names_as_ids(service, caller, read, [tenant]).await?;
    }
    service.store.read_extra(read, &job.task, &[(id, tenant)]).await?;
    let decision = plan(&job, 0..1, &read.input, rules);
    let outcome = decision.outcomes.first().copied().unwrap_or(Outcome::Done);
    check_outcome(outcome, &image, tenant, rules)?;
    raise_tenant_clocks(service, read, [tenant], job.id.0).await?;
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
