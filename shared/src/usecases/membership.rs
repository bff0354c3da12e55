//! Change one membership at once: its owner adds or removes a member, a member answers.
//!
//! Such a change is a job of one pair that is decided and written on the spot: one batch read, and one transaction which
//! demands that what was read is still so. It is stamped above everything that formed the membership, since it is done
//! after all of that; a job that was requested earlier and is carried out later finds the stamp and gives way to it. Where an
//! earlier job on the same pair is open, it is waited for: what was acknowledged counts as done.

use std::time::Duration;

use super::Refusal;
use super::directory::refuse_names;
use super::earlier::created_before;
use super::members::{show_member, with_members};
use super::older_work::{Waiting, settle};
use super::stamps::leave_far_stamp;
use crate::Service;
use crate::domain::{
    Caller, Decision, ImageHead, ImageId, Job, JobId, Member, Membership, Outcome, Rules, Standing, Status,
    Task, TenantId, UnknownStatus, VaultId, decide,
};
use crate::store::{Pair, Remembered, Snapshot, Written};

/// How often in a row somebody else may change the same things in between.
const ATTEMPTS: u32 = 20;

/// Shares an image with a tenant that is no member of it yet. One batch read and one transaction.
///
/// # Errors
/// [`Refusal`], [`Refusal::MemberExists`] before [`Refusal::MemberLimit`] (`contract/decisions.md` 6); then nothing was
/// changed.
pub async fn add_member(
    service: &Service,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
) -> Result<Member, Refusal> {
    add_member_once(service, caller, image, tenant, None).await
}

/// Shares an image with a tenant that is no member of it yet, unless the request was made before under its idempotency key:
/// then the member is returned as it stands. One batch read and one transaction, and one read more where there is a key.
///
/// # Errors
/// [`Refusal`], as [`add_member`]; then nothing was changed.
pub async fn add_member_once(
    service: &Service,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
    remembered: Option<&Remembered>,
) -> Result<Member, Refusal> {
    if created_before(service, remembered).await?.is_some() {
        return show_member(service, caller, image, tenant).await;
    }
    let task = |image: &ImageHead, member: Option<&Standing>| {
        may_change(caller, image)?;
        if *tenant == image.owner {
            return Err(Refusal::SelfShare(tenant.clone()));
        }
        match member {
            None => Ok(Task::Share),
            Some(_) => Err(Refusal::MemberExists { image: image.id.clone(), tenant: tenant.clone() }),
        }
    };
    match change(service, caller, (image, tenant), task, remembered).await {
        Ok(member) => member.ok_or_else(|| Refusal::Contended(image.clone())),
        // Two of the same request were under way.
        Err(Refusal::MemberExists { .. }) if created_before(service, remembered).await?.is_some() => {
            show_member(service, caller, image, tenant).await
        }
        Err(refusal) => Err(refusal),
    }
}

/// Ends a tenant's membership of an image. Only the owner can; a member cannot leave (`contract/glance.md` 2.4). One
/// batch read and one transaction.
///
/// # Errors
/// [`Refusal`], [`Refusal::MemberNotFound`] for a tenant that is no member; then nothing was changed.
pub async fn remove_member(
    service: &Service,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
) -> Result<(), Refusal> {
    let task = |image: &ImageHead, member: Option<&Standing>| {
        visible(caller, image, tenant, member)?;
        may_change(caller, image)?;
        Ok(Task::Unshare)
    };
    change(service, caller, (image, tenant), task, None).await.map(|_| ())
}

/// Gives a member's answer to an image, its latest one. Only the member itself can. One batch read and one write.
///
/// What is no answer is refused last, when it is known that the caller may give one (`contract/glance.md` 2.11).
///
/// # Errors
/// [`Refusal`]; then nothing was changed.
pub async fn answer_as_member(
    service: &Service,
    caller: &Caller,
    image: &ImageId,
    tenant: &TenantId,
    (status, vault): (Result<Status, UnknownStatus>, Option<VaultId>),
) -> Result<Member, Refusal> {
    let task = |image: &ImageHead, member: Option<&Standing>| {
        visible(caller, image, tenant, member)?;
        if !caller.can_act() {
            return Err(Refusal::ReadOnly);
        }
        if !caller.acts_for(tenant) {
            return Err(Refusal::OtherProject { acting: caller.tenant.clone(), named: tenant.clone() });
        }
        Ok(Task::Respond { status: status?, vault: vault.clone() })
    };
    let member = change(service, caller, (image, tenant), task, None).await?;
    member.ok_or_else(|| Refusal::Contended(image.clone()))
}

/// Refuses who may not say with whom the image is shared.
fn may_change(caller: &Caller, image: &ImageHead) -> Result<(), Refusal> {
    if caller.acts_for(&image.owner) {
        Ok(())
    } else if caller.tenant == image.owner {
        Err(Refusal::ReadOnly)
    } else {
        Err(Refusal::NotOwner(image.id.clone()))
    }
}

/// Refuses who looks for a membership that there is not, or that is another's.
fn visible(
    caller: &Caller,
    image: &ImageHead,
    tenant: &TenantId,
    member: Option<&Standing>,
) -> Result<(), Refusal> {
    if member.is_some() && (caller.reads_for(&image.owner) || caller.reads_for(tenant)) {
        Ok(())
    } else {
        Err(Refusal::MemberNotFound { image: image.id.clone(), tenant: tenant.clone() })
    }
}

/// Changes a membership of an image that the caller sees as `task` says, which is given the image and the membership as
/// they stand. Returns the membership as it then stands, if it does. The request is remembered by its idempotency key, if it
/// has one. A refusal costs one more read.
async fn change(
    service: &Service,
    caller: &Caller,
    (id, tenant): Pair<'_>,
    task: impl Fn(&ImageHead, Option<&Standing>) -> Result<Task, Refusal>,
    remembered: Option<&Remembered>,
) -> Result<Option<Member>, Refusal> {
    let rules = service.settings.rules();
    let mut waiting = Waiting::new();
    let mut attempt = 0;
    while attempt < ATTEMPTS {
        let mut read = service.store.snapshot(&[(id, tenant)], &[tenant, &caller.tenant]).await?;
        match settle(service, caller, &mut read, (id, tenant), &mut waiting).await? {
            Some(false) => {}
            Some(true) => continue,
            None => return Err(Refusal::InProgress(id.clone())),
        }
        attempt += 1;
        let now = service.clock().now();
        let decided = decided(service, caller, &mut read, (id, tenant), &task).await;
        let is_settled = match &decided {
            Ok(decision) => {
                let remembered = remembered.map(|request| (request, tenant));
                let written =
                    service.store.make_change(decision, &read, rules, now, None, remembered).await?;
                written == Written::Yes
            }
            Err(Refusal::Store(_)) => true,
            // A job that was carried out between the reading of the membership and that of the queue is in neither.
            Err(_) => service.store.is_unchanged(&read, (id, tenant)).await?,
        };
        if is_settled {
            let decision = decided?;
            let member = decision.changes.first().and_then(|change| {
                let (standing, updated) = (change.becomes.standing()?, read.updated_by(change, now));
                Some(Member::new(id.clone(), tenant.clone(), standing, updated))
            });
            return Ok(member);
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
    }
    Err(Refusal::Contended(id.clone()))
}

/// Decides on a change from what was read. Reads what its rules need besides.
async fn decided(
    service: &Service,
    caller: &Caller,
    read: &mut Snapshot,
    (id, tenant): Pair<'_>,
    task: impl Fn(&ImageHead, Option<&Standing>) -> Result<Task, Refusal>,
) -> Result<Decision, Refusal> {
    let rules = service.settings.rules();
    let current = read.known.memberships.get(&(id.clone(), tenant.clone()));
    let member = current.and_then(Membership::standing);
    let image = with_members(service, caller, id, read.known.images.get(id), tenant, member.is_some());
    let image = image.await?.clone();
    let job = Job {
        id: JobId(service.clock().stamp_after(read.stamps())),
        creator: caller.tenant.clone(),
        task: task(&image, member)?,
        images: vec![id.clone()],
        tenants: vec![tenant.clone()],
        accepted: service.clock().now(),
        queues: Vec::new(),
    };
    if job.task == Task::Share {
        refuse_names(service, caller, read, [tenant]).await?;
    }
    service.store.read_needed(read, &job.task, &[(id, tenant)]).await?;
    let decision = decide(&job, 0..1, &read.known, rules);
    let outcome = decision.outcomes.first().copied().unwrap_or(Outcome::Done);
    refuse(outcome, &image, tenant, rules)?;
    leave_far_stamp(service, read, [tenant], job.id.0).await?;
    Ok(decision)
}

/// What an outcome says to who asked for it at once.
pub(super) fn refuse(
    outcome: Outcome,
    image: &ImageHead,
    tenant: &TenantId,
    rules: Rules<'_>,
) -> Result<(), Refusal> {
    let id = || image.id.clone();
    Err(match outcome {
        Outcome::Done => return Ok(()),
        Outcome::ImageGone => Refusal::ImageNotFound(id()),
        Outcome::NotShareable => Refusal::NotShared { image: id(), visibility: image.visibility },
        Outcome::MemberLimit => {
            Refusal::MemberLimit { image: id(), members: image.members, most: rules.limits.members_of(image) }
        }
        Outcome::NotAMember => Refusal::MemberNotFound { image: id(), tenant: tenant.clone() },
        Outcome::GaveUp | Outcome::Overtaken => Refusal::Contended(id()),
        outcome => Refusal::Rule { image: id(), tenant: tenant.clone(), outcome },
    })
}
