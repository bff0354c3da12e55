//! Change one membership within the request: the owner adds or removes a member, or a member decides.
//!
//! Such a change is a job of one pair that is planned and committed in the request: one batch read, and one
//! transaction on condition that the items read have not changed. Its stamp is above all stamps that formed the
//! membership, since it comes after them. A job that was requested earlier and is executed later finds that stamp and
//! does not override it. If an earlier job on the pair is open, the change waits for it: an acknowledged request
//! counts as executed.

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
    Active, Caller, Denied, ImageAction, ImageHead, ImageId, Job, JobId, MemberView, Membership,
    NamedMembership, NotShared, Outcome, Plan, Rules, ShareKind, Status, Task, TenantId, UnknownValue,
    VaultId, check_share_request,
};
use crate::store::{Commit, IdempotencyRequest, Pair, Snapshot};

/// The most attempts while other requests change the same items.
const MAX_ATTEMPTS: u32 = 20;

/// Shares an image with a tenant that is not a member yet. A replayed request returns the member as it is now. Costs
/// one batch read and one transaction, and one read more if there is an idempotency key.
///
/// # Errors
/// [`UseCaseError`], [`UseCaseError::MemberExists`] before [`UseCaseError::MemberLimit`] (`contract/decisions.md` 6);
/// then nothing was changed.
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
        check_share_request(image, [tenant], ShareKind::NeedsConsent)?;
        match member {
            None => Ok(Task::Share),
            Some(_) => Err(UseCaseError::MemberExists { image: image.id.clone(), tenant: tenant.clone() }),
        }
    };
    let add: Change<'_, _> = (|_| ImageAction::AddMember, task);
    match change_membership(app, caller, (image, tenant), add, idempotency).await {
        Ok(member) => member.ok_or_else(|| UseCaseError::Conflict(image.clone())),
        // The same request was executed concurrently.
        Err(UseCaseError::MemberExists { .. }) if was_added(app, idempotency).await? => {
            show_member(app, caller, image, tenant).await
        }
        Err(error) => Err(error),
    }
}

/// Whether the request is a replay, whose member was added before. Costs one read if it has an idempotency key.
async fn was_added(app: &App, idempotency: Option<&IdempotencyRequest>) -> Result<bool, UseCaseError> {
    Ok(find_created_id::<TenantId>(app, idempotency).await?.is_some())
}

/// Ends a tenant's membership of an image. Only the owner can; a member cannot leave (`contract/glance.md` 2.4).
/// Costs one batch read and one transaction.
///
/// # Errors
/// [`UseCaseError`], [`Denied::MemberNotFound`] for a tenant that is not a member; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn remove_member(
    app: &App,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
) -> Result<(), UseCaseError> {
    let remove: Change<'_, _> = (ImageAction::RemoveMember, |_: &_, _: Option<&_>| Ok(Task::Unshare));
    change_membership(app, caller, (image, tenant), remove, None).await.map(|_| ())
}

/// Records a member's decision on an image, in place of its earlier one. Only the member itself can. Costs one batch
/// read and one write.
///
/// An invalid status is refused last, once the caller is authorized to decide (`contract/glance.md`, order of checks).
///
/// # Errors
/// [`UseCaseError`]; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
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

/// A change: the action to authorize the caller for, and the function that makes the task from the current image and
/// membership.
type Change<'a, F> = (MemberAction<'a>, F);

/// Changes a membership, and returns it if it is active afterwards. Records the request under its idempotency key, if
/// it has one. A refusal costs one more read.
async fn change_membership<'a, F: Fn(&ImageHead, Option<&Active>) -> Result<Task, UseCaseError>>(
    app: &App,
    caller: &Caller,
    (id, tenant): Pair<'a>,
    change: Change<'a, F>,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Option<MemberView>, UseCaseError> {
    let mut backoff = Backoff::new();
    let mut attempt = 0;
    while attempt < MAX_ATTEMPTS {
        let mut snapshot = app.store.snapshot(&[(id, tenant)], &[tenant, &caller.tenant]).await?;
        match wait_for_earlier_jobs(app, caller, &mut snapshot, (id, tenant), &mut backoff).await? {
            Some(false) => {}
            Some(true) => continue,
            None => return Err(UseCaseError::InProgress(id.clone())),
        }
        attempt += 1;
        let now = app.clock().now();
        let planned = plan_change(app, caller, &mut snapshot, (id, tenant), &change).await;
        let is_final = match &planned {
            Ok(plan) => {
                let recorded = idempotency.map(|request| (request, tenant));
                let commit = app.store.commit_plan(plan, &snapshot, now, None, recorded).await?;
                commit == Commit::Committed
            }
            Err(UseCaseError::Store(_)) => true,
            // A job that was executed after the membership was read and before the queue was read is seen in neither.
            Err(_) => app.store.is_membership_unchanged(&snapshot, (id, tenant)).await?,
        };
        if is_final {
            let plan = planned?;
            let member = plan.changes.first().and_then(|change| {
                let (active, updated) = (change.membership.active()?, snapshot.update_time(change, now));
                Some(MemberView::new(id.clone(), tenant.clone(), active, updated))
            });
            return Ok(member);
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
    }
    Err(UseCaseError::Conflict(id.clone()))
}

/// Plans a change from a snapshot, after reading what its rules need besides.
async fn plan_change<'a, F: Fn(&ImageHead, Option<&Active>) -> Result<Task, UseCaseError>>(
    app: &App,
    caller: &Caller,
    snapshot: &mut Snapshot,
    (id, tenant): Pair<'a>,
    (action, task): &Change<'a, F>,
) -> Result<Plan, UseCaseError> {
    let rules = app.settings.rules();
    let member = snapshot.membership((id, tenant)).and_then(Membership::active);
    let named = NamedMembership { tenant, status: member.map(Active::status) };
    let image = authorize(app, caller, id, snapshot.image(id), Some(named), action(named)).await?.clone();
    let job = Job {
        id: JobId(app.clock().stamp_after(snapshot.stamps())),
        creator: caller.tenant.clone(),
        task: task(&image, member)?,
        images: vec![id.clone()],
        tenants: vec![tenant.clone()],
        accepted_at: app.clock().now(),
        queues: Vec::new(),
        may_repeat: false,
    };
    if job.task == Task::Share {
        reject_names_as_ids(app, caller, snapshot, [tenant]).await?;
    }
    app.store.read_extra(snapshot, &job.task, &[(id, tenant)]).await?;
    let plan = snapshot.plan(&job, 0..1, rules);
    let outcome = plan.outcomes.first().copied().unwrap_or(Outcome::Done);
    check_outcome(outcome, &image, tenant, rules)?;
    raise_tenant_clocks(app, snapshot, [tenant], job.id.0).await?;
    Ok(plan)
}

/// Turns the outcome of a single pair into the result of its request.
pub(super) fn check_outcome(
    outcome: Outcome,
    image: &ImageHead,
    tenant: &TenantId,
    rules: Rules<'_>,
) -> Result<(), UseCaseError> {
    let id = || image.id.clone();
    Err(match outcome {
        Outcome::Done => return Ok(()),
        Outcome::ImageDeleted => Denied::ImageNotFound(id()).into(),
        Outcome::NotShareable => {
            Denied::NotShared(NotShared { image: id(), visibility: image.visibility }).into()
        }
        Outcome::MemberLimit => UseCaseError::MemberLimit {
            image: id(),
            members: image.member_count,
            most: rules.limits.member_limit(image),
        },
        Outcome::NotAMember => Denied::MemberNotFound { image: id(), tenant: tenant.clone() }.into(),
        Outcome::RetriesExhausted | Outcome::Superseded => UseCaseError::Conflict(id()),
        outcome => UseCaseError::RuleViolation { image: id(), tenant: tenant.clone(), outcome },
    })
}
