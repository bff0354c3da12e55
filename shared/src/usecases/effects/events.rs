//! The events that changes make.

use std::collections::BTreeSet;

use crate::App;
use crate::domain::{
    Audience, Bypass, Event, EventImage, EventKind, EventSubject, Image, JobReport, KeyGrant, ShareChange,
    Task, TenantId, Timestamp, WithdrawalReason, share_changes,
};
use crate::store::{ItemChange, MembershipChange, Snapshot, StoreError};

/// What the events of memberships need besides them: the images with their owners, and the regions of the recipients.
pub(super) struct Context<'a> {
    region: &'a str,
    snapshot: Snapshot,
}

impl<'a> Context<'a> {
    /// Reads what the changes of memberships need. One batch read for every 100 images and recipients, or none.
    pub(super) async fn read(app: &'a App, changes: &[ItemChange]) -> Result<Self, StoreError> {
        let memberships = changes.iter().filter_map(|change| match change {
            ItemChange::Membership(change) => Some((change.image.clone(), &change.tenant)),
            _ => None,
        });
        let (images, tenants): (BTreeSet<_>, BTreeSet<_>) = memberships.unzip();
        let (images, tenants): (Vec<_>, Vec<_>) =
            (images.into_iter().collect(), tenants.into_iter().collect());
        let snapshot = app.store.heads_and_tenants(&images, &tenants).await?;
        Ok(Self { region: &app.settings.region, snapshot })
    }

    fn is_elsewhere(&self, tenant: &TenantId) -> bool {
        self.snapshot.tenant(tenant).region.is_some_and(|region| region != self.region)
    }

    /// The events of a membership's change: for the owner, and for the recipient unless it is in another region.
    pub(super) fn events_of(&self, change: &MembershipChange) -> Vec<Event> {
        let head = self.snapshot.image(&change.image).map(|head| head.bypass(Bypass::Effects));
        let image = EventImage {
            id: change.image.clone(),
            name: head.and_then(|head| head.name.clone()),
            owner: head.map(|head| head.owner.clone()).or_else(|| change.listed_owner.clone()),
        };
        let withdrawal =
            if head.is_some() { WithdrawalReason::Unshared } else { WithdrawalReason::ImageRemoved };
        let share = |(audience, tenant): (Audience, &TenantId), what: &ShareChange| Event {
            kind: what.kind,
            audience,
            tenant: tenant.clone(),
            at: change.updated,
            sequence: Some(sequence(change)),
            request: Some(what.request),
            subject: EventSubject::Share {
                image: image.clone(),
                recipient: change.tenant.clone(),
                status: what.status,
                reason: (what.kind == EventKind::ShareWithdrawn).then_some(withdrawal),
                is_decision: what.is_decision,
            },
        };
        let owner = image.owner.as_ref().map(|owner| (Audience::Owner, owner));
        let recipient = (!self.is_elsewhere(&change.tenant)).then_some(&change.tenant);
        let audiences: Vec<_> =
            owner.into_iter().chain(recipient.map(|tenant| (Audience::Recipient, tenant))).collect();
        share_changes(change.old.as_ref(), Some(&change.new))
            .iter()
            .flat_map(|what| audiences.iter().map(move |audience| (*audience, what)))
            .map(|(audience, what)| share(audience, what))
            .collect()
    }
}

/// The number that orders the events of a share: the time of the newest request that has formed the membership, in
/// milliseconds, and the last twelve bits of its revision.
///
/// The revision alone begins again once a membership was forgotten, two days after its end. The newest request is never
/// older than before, and where it stays the same, the revision grows. The number has 53 bits, which JSON keeps.
fn sequence(change: &MembershipChange) -> u64 {
    let newest = change.new.newest_stamp().time().unix_millis().unsigned_abs();
    newest << 12 | change.revision & 0xfff
}

/// The event of an image's change, for its owner.
pub(super) fn of_image(old: Option<&Image>, new: Option<&Image>, at: Timestamp) -> Option<Event> {
    let (kind, image) = match (old, new) {
        (None, Some(image)) => (EventKind::ImageRegistered, image),
        (Some(_), Some(image)) => (EventKind::ImageChanged, image),
        (Some(image), None) => (EventKind::ImageRemoved, image),
        (None, None) => return None,
    };
    let is_removed = kind == EventKind::ImageRemoved;
    Some(Event {
        kind,
        audience: Audience::Owner,
        tenant: image.owner.clone(),
        at: if is_removed { at } else { image.updated },
        sequence: Some(if is_removed { image.revision + 1 } else { image.revision }),
        request: None,
        subject: EventSubject::Image(EventImage {
            id: image.id.clone(),
            name: image.details.name.clone(),
            owner: Some(image.owner.clone()),
        }),
    })
}

/// The events of a withdrawn key grant, for the owner of the key and for the tenant that could use it. `created` tells
/// this grant from an earlier one of the same key to the same tenant.
pub(super) fn of_grant(grant: &KeyGrant, created: Timestamp, at: Timestamp) -> [Event; 2] {
    [(Audience::Owner, &grant.owner), (Audience::Recipient, &grant.tenant)].map(|(audience, tenant)| Event {
        kind: EventKind::GrantEnded,
        audience,
        tenant: tenant.clone(),
        at,
        sequence: None,
        request: None,
        subject: EventSubject::Grant(grant.clone(), created),
    })
}

/// The event of a job's end, for the tenant that requested it; `None` for a job that follows from an image's change, and
/// that nobody has requested.
pub(super) fn of_job(report: &JobReport) -> Option<Event> {
    let job = &report.job;
    let ended_at = report.ended_at().filter(|_| job.task != Task::Refresh)?;
    Some(Event {
        kind: EventKind::JobEnded,
        audience: Audience::Owner,
        tenant: job.creator.clone(),
        at: ended_at,
        sequence: None,
        request: Some(job.id.0),
        subject: EventSubject::Job {
            id: job.id,
            task: job.task.as_str(),
            pairs: report.done_count(),
            failed: report.failures().count(),
        },
    })
}
