//! Changes of items, as the table's stream reports them.
//!
//! A record of the stream has the item before and after one write. It is parsed into what the write did to the image,
//! membership or job, by the same code that reads these items. Records of other items are of no interest to anyone.

use super::error::StoreError;
use super::item::{self, Item};
use super::items::{directory_entry, image, job, key_grant, membership};
use super::keys::{self, PK, SK, SnapshotItem};
use crate::domain::{
    DirectoryEntry, Image, ImageId, JobId, JobReport, KeyGrant, Membership, TenantId, Timestamp,
};

/// The beginnings of the partition keys of items whose changes have effects. The filter of the stream's mapping on AWS has
/// the same.
pub const PARTITIONS_WITH_EFFECTS: [&str; 4] = ["G#", "I#", "J#", "T#"];

/// What one write did to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemChange {
    /// An image was registered, changed or deleted. One of the two is there.
    Image {
        /// The image before.
        old: Option<Box<Image>>,
        /// The image after.
        new: Option<Box<Image>>,
        /// When the stream reported it.
        at: Timestamp,
    },
    /// A membership was written.
    Membership(Box<MembershipChange>),
    /// A job was accepted. It has ended if it ended with its request, and has no work items yet if it is large.
    JobAccepted(Box<JobReport>),
    /// A job with a single work item has ended since it was accepted.
    JobEnded(Box<JobReport>),
    /// A work item of a large job has ended; the job may have ended with it.
    WorkItemEnded(JobId),
    /// A key grant was withdrawn.
    KeyGrantEnded {
        /// The grant.
        grant: KeyGrant,
        /// When it was given.
        created: Timestamp,
        /// When the stream reported it.
        at: Timestamp,
    },
    /// A tenant was added to the directory, changed there, or removed from it.
    DirectoryEntry {
        /// Its entry before.
        old: Option<Box<DirectoryEntry>>,
        /// Its entry after.
        new: Option<Box<DirectoryEntry>>,
    },
}

/// A membership before and after a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipChange {
    /// The image.
    pub image: ImageId,
    /// The tenant.
    pub tenant: TenantId,
    /// The membership before.
    pub old: Option<Membership>,
    /// The membership after.
    pub new: Membership,
    /// Its revision after.
    pub revision: u64,
    /// When it last changed in a way that an API shows.
    pub updated: Timestamp,
    /// The owner of the image, if the membership was in a list of its recipient.
    pub listed_owner: Option<TenantId>,
}

impl ItemChange {
    /// Parses a record of the stream: the item before and after a write, of which at least one is there. `at` is when
    /// the stream reported it. `None` if the write is of no interest.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] names an attribute that cannot be read.
    pub fn parse(old: Option<&Item>, new: Option<&Item>, at: Timestamp) -> Result<Option<Self>, StoreError> {
        let Some(either) = new.or(old) else { return Ok(None) };
        let (pk, sk) = (item::get_text(either, PK)?, item::get_text(either, SK)?);
        match (SnapshotItem::parse(pk, sk), pk.get(..2)) {
            (Some(SnapshotItem::Membership), _) => membership_change(old, new),
            (Some(SnapshotItem::Tenant(_)), _) => directory_change(old, new),
            (Some(SnapshotItem::KeyGrant(grant)), _) => key_grant_change(grant, old, new, at),
            (None, Some("I#")) => image_change(old, new, at),
            (None, Some("J#")) => job_change(old, new),
            _ => Ok(None),
        }
    }
}

fn parse_with<T>(
    item: Option<&Item>,
    parse: impl Fn(&Item) -> Result<Option<T>, StoreError>,
) -> Result<Option<T>, StoreError> {
    item.map(parse).transpose().map(Option::flatten)
}

fn image_change(
    old: Option<&Item>,
    new: Option<&Item>,
    at: Timestamp,
) -> Result<Option<ItemChange>, StoreError> {
    let (old, new) = (parse_with(old, image::parse)?, parse_with(new, image::parse)?);
    let is_change = old.as_ref().map(|image| image.revision) != new.as_ref().map(|image| image.revision);
    Ok(is_change.then(|| ItemChange::Image { old: old.map(Box::new), new: new.map(Box::new), at }))
}

fn membership_change(old: Option<&Item>, new: Option<&Item>) -> Result<Option<ItemChange>, StoreError> {
    // A membership is deleted only once it has ended, and is then forgotten.
    let Some(after) = parse_with(new, membership::parse)? else { return Ok(None) };
    let before = parse_with(old, membership::parse)?;
    let owner = [new, old].into_iter().flatten().find_map(listed_owner);
    Ok(Some(ItemChange::Membership(Box::new(MembershipChange {
        image: after.image,
        tenant: after.tenant,
        old: before.map(|before| before.membership),
        new: after.membership,
        revision: after.revision,
        updated: after.updated,
        listed_owner: owner,
    }))))
}

/// The owner in a membership's entry in the list of its recipient, if it has one.
fn listed_owner(membership: &Item) -> Option<TenantId> {
    keys::parse_received_owner(membership.get(keys::GSK)?.as_s().ok()?)
}

fn directory_change(old: Option<&Item>, new: Option<&Item>) -> Result<Option<ItemChange>, StoreError> {
    let (old, new) = (parse_with(old, directory_entry::parse)?, parse_with(new, directory_entry::parse)?);
    let is_change = old != new;
    Ok(is_change.then(|| ItemChange::DirectoryEntry { old: old.map(Box::new), new: new.map(Box::new) }))
}

fn key_grant_change(
    grant: KeyGrant,
    old: Option<&Item>,
    new: Option<&Item>,
    at: Timestamp,
) -> Result<Option<ItemChange>, StoreError> {
    let (Some(old), None) = (old, new) else { return Ok(None) };
    Ok(Some(ItemChange::KeyGrantEnded { grant, created: key_grant::parse(old)?.created, at }))
}

fn job_change(old: Option<&Item>, new: Option<&Item>) -> Result<Option<ItemChange>, StoreError> {
    let Some(new) = new else { return Ok(None) };
    let key = job::parse_key(new)?;
    if old.is_none()
        && let Some(job) = job::parse_job(key, new)?
    {
        let work_items = job::find_work_item(key, new)?.into_iter().collect();
        return Ok(Some(ItemChange::JobAccepted(Box::new(JobReport { job, work_items }))));
    }
    if old.is_some_and(job::is_finished) || !job::is_finished(new) {
        return Ok(None);
    }
    match job::parse_job(key, new)? {
        // A job that finds its images itself has found the last of them, and may have other work items.
        None => Ok(Some(ItemChange::WorkItemEnded(key.job))),
        Some(job) if job.task.finds_images() => Ok(Some(ItemChange::WorkItemEnded(key.job))),
        Some(job) => {
            let work_items = vec![job::parse_work_item(key, new)?];
            Ok(Some(ItemChange::JobEnded(Box::new(JobReport { job, work_items }))))
        }
    }
}
