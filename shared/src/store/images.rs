//! Creates, reads, updates and deletes images, with their list entries and lookups.
//!
//! A deleted image leaves a tombstone, so that its id is never used again: a membership, a job or a marker that names
//! it can never mean another image. The tombstone is the head's key, and the member count while a job still lowers it.

use std::collections::HashMap;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::items::idempotency::{IdempotencyRequest, record_created};
use super::items::image::{
    HEAD, LISTED_ATTRIBUTES, MEMBER_REV, MEMBERS, delete_listing, head_item, image_item, parse, parse_head,
    parse_image_id, put_listing, tombstone_head, update_head,
};
use super::items::job::{JobStart, job_writes};
use super::items::membership;
use super::keys;
use super::lookups::LookupChanges;
use super::memberships::Recipients;
use super::table_calls::{Commit, is_condition_failure};
use crate::domain::{Image, ImageHead, ImageId, Job, MemberView, TenantId, Unauthorized};
use crate::table::Write;

/// The outcome of creating an image or an access key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It is created.
    Created,
    /// An image has, or had, this id.
    IdTaken,
    /// The owner has reached its limit.
    LimitReached,
    /// An earlier request has used the idempotency key.
    IdempotencyKeyUsed,
}

/// The outcome of updating an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// The image is updated.
    Updated,
    /// Another request has changed the image, or its members as far as the update depends on them.
    Conflict,
}

/// How an update or a deletion treats the image's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberUpdate<'a> {
    /// It conflicts if there are any.
    RequireNone,
    /// It leaves them alone: nothing changes that their list entries hold.
    Keep,
    /// It creates a job that rewrites their list entries, or ends them. The job must name all of these recipients.
    Change(&'a Recipients, &'a Job),
}

/// The outcome of deleting an image.
pub type DeleteOutcome = Commit;

/// The reads for one page of a list of images.
#[derive(Debug, Default)]
pub struct ImageFetch<'a> {
    /// The images of the page.
    pub images: Vec<&'a ImageId>,
    /// Those of them whose member count is read.
    pub with_member_count: Vec<&'a ImageId>,
    /// Those of them whose membership of [`Self::tenant`] is read.
    pub with_member: Vec<&'a ImageId>,
    /// The recipient of [`Self::with_member`]; without it, no membership is read.
    pub tenant: Option<&'a TenantId>,
}

/// An image on a page of a list.
#[derive(Debug)]
pub struct ListedImage {
    /// The image.
    pub image: Unauthorized<Image>,
    /// Its member count; 0 if that was not read.
    pub member_count: u32,
    /// The membership of the tenant; `None` if that was not read, or the image is not shared with the tenant.
    pub member: Option<MemberView>,
}

impl Store {
    /// Creates an image. One transaction: its record and head, its owner's image count, its listing if it is visible
    /// to all, its lookups, and the request's idempotency key. Above 60 lookups, more transactions before it.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn create_image(
        &self,
        image: &Image,
        max_images: u32,
        idempotency: Option<&IdempotencyRequest>,
    ) -> Result<CreateOutcome, StoreError> {
        let head = Write::put(head_item(image)?).only_if("attribute_not_exists(pk)");
        let count = Write::update(keys::tenant(&image.owner), "ADD images :one")
            .only_if("attribute_not_exists(images) OR images < :max")
            .value(":one", item::number(1))
            .value(":max", item::number(max_images));
        let lookups = LookupChanges::between(None, Some(image));
        let mut writes = vec![head, count, Write::put(image_item(image)?)];
        if image.visibility.is_visible_to_all() {
            writes.push(put_listing(image));
        }
        let key_write_index = writes.len();
        writes.extend(idempotency.map(|request| record_created(request, image.id.as_str(), image.created)));
        match self.transact_with_lookups(writes, lookups).await {
            Ok(()) => Ok(CreateOutcome::Created),
            Err(WriteError::Store(error)) => Err(error),
            Err(WriteError::ConditionFailed(reasons))
                if idempotency.is_some()
                    && reasons.get(key_write_index).is_some_and(is_condition_failure) =>
            {
                Ok(CreateOutcome::IdempotencyKeyUsed)
            }
            Err(WriteError::ConditionFailed(reasons))
                if reasons.first().is_some_and(is_condition_failure) =>
            {
                Ok(CreateOutcome::IdTaken)
            }
            Err(WriteError::ConditionFailed(_)) => Ok(CreateOutcome::LimitReached),
        }
    }

    /// Reads the member counts of images, and leaves out those that are missing or deleted. One batch read for every
    /// 100.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn member_counts<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a ImageId>,
    ) -> Result<HashMap<ImageId, u32>, StoreError> {
        let items = self.read(ids.into_iter().map(keys::head).collect()).await?;
        let heads = items.iter().map(parse_head).collect::<Result<Vec<_>, _>>()?;
        Ok(heads.into_iter().flatten().map(|head| (head.id, head.member_count)).collect())
    }

    /// Reads the head of an image; `None` if the image is missing or deleted. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn head(&self, id: &ImageId) -> Result<Option<Unauthorized<ImageHead>>, StoreError> {
        let item = self.read_one(keys::head(id)).await?;
        Ok(item.as_ref().map_or(Ok(None), parse_head)?.map(Unauthorized::new))
    }

    /// Reads the images of a page, eventually consistent as the index that named them, and leaves out those that are
    /// missing or deleted. One batch read for every 100 items.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn listed_images(
        &self,
        fetch: &ImageFetch<'_>,
    ) -> Result<HashMap<ImageId, ListedImage>, StoreError> {
        let records = fetch.images.iter().map(|id| keys::image(id));
        let heads = fetch.with_member_count.iter().map(|id| keys::head(id));
        let memberships = fetch
            .tenant
            .into_iter()
            .flat_map(|tenant| fetch.with_member.iter().map(move |id| keys::membership(id, tenant)));
        let keys = records.chain(heads).chain(memberships).collect();
        let (mut images, mut member_counts, mut members) = (HashMap::new(), HashMap::new(), HashMap::new());
        for item in &self.read_eventually(keys, LISTED_ATTRIBUTES).await? {
            if item.contains_key(MEMBERS) {
                member_counts.insert(parse_image_id(item)?, item::get_number(item, MEMBERS)?);
            } else if item.contains_key(membership::MEMBERSHIP) {
                let image = parse_image_id(item)?;
                let member = membership::parse_member(&image, item)?;
                members.extend(member.map(|member| (image, member)));
            } else if let Some(image) = parse(item)? {
                let id = image.id.clone();
                images.insert(
                    id,
                    ListedImage { image: Unauthorized::new(image), member_count: 0, member: None },
                );
            }
        }
        for (id, image) in &mut images {
            image.member_count = member_counts.get(id).copied().unwrap_or_default();
            image.member = members.remove(id);
        }
        Ok(images)
    }

    /// Reads an image; `None` if it is missing or deleted. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn image(&self, id: &ImageId) -> Result<Option<Unauthorized<Image>>, StoreError> {
        let item = self.read_one(keys::image(id)).await?;
        Ok(item.as_ref().map_or(Ok(None), parse)?.map(Unauthorized::new))
    }

    /// Reads an image and its head; `None` if the image is missing or deleted. The head alone is `None` if the image
    /// was created or deleted during the read, since a batch read is not a snapshot. One batch read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn image_and_head(
        &self,
        id: &ImageId,
    ) -> Result<Option<Unauthorized<(Image, Option<ImageHead>)>>, StoreError> {
        let (mut image, mut head) = (None, None);
        for item in self.read(vec![keys::image(id), keys::head(id)]).await? {
            image = image.or(parse(&item)?);
            head = head.or(parse_head(&item)?);
        }
        Ok(image.map(|image| Unauthorized::new((image, head))))
    }

    /// Replaces an image if it is unchanged since `previous` was read, and its members are as `members` requires. One
    /// transaction: record, head, listing if it is visible to all, changed lookups, and the job. Above 60 changed
    /// lookups, more transactions before it and single deletions after it.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn update_image(
        &self,
        previous: &Image,
        image: &Image,
        members: MemberUpdate<'_>,
    ) -> Result<UpdateOutcome, StoreError> {
        let record = item::if_unchanged(Write::put(image_item(image)?), previous.revision);
        let head = if_members_are(update_head(image)?, members);
        let mut writes = vec![record, head];
        if image.visibility.is_visible_to_all() {
            writes.push(put_listing(image));
        } else if previous.visibility.is_visible_to_all() {
            writes.push(delete_listing(&image.id));
        }
        if let MemberUpdate::Change(_, job) = members {
            writes.extend(job_writes(job, JobStart::Immediate)?);
        }
        let lookups = LookupChanges::between(Some(previous), Some(image));
        match self.transact_with_lookups(writes, lookups).await {
            Ok(()) => Ok(UpdateOutcome::Updated),
            Err(WriteError::Store(error)) => Err(error),
            Err(WriteError::ConditionFailed(_)) => Ok(UpdateOutcome::Conflict),
        }
    }

    /// Deletes an image if it is unchanged since it was read, and its members are as `members` requires: none, or those
    /// whose memberships a job ends that is committed with the deletion. One transaction, and above 60 lookups single
    /// deletions after it.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn delete_image(
        &self,
        image: &Image,
        members: MemberUpdate<'_>,
    ) -> Result<DeleteOutcome, StoreError> {
        let tombstone = tombstone_head(&image.id).only_if(format!("attribute_exists({HEAD})"));
        let tombstone = item::if_unchanged(tombstone, image.revision);
        let tombstone = if_members_are(tombstone, members);
        let count = Write::update(keys::tenant(&image.owner), "ADD images :minus_one");
        let record = Write::delete(keys::image(&image.id));
        let mut writes = vec![tombstone, record, count.value(":minus_one", item::number(-1))];
        if image.visibility.is_visible_to_all() {
            writes.push(delete_listing(&image.id));
        }
        if let MemberUpdate::Change(_, unshare) = members {
            writes.extend(job_writes(unshare, JobStart::Immediate)?);
        }
        match self.transact_with_lookups(writes, LookupChanges::between(Some(image), None)).await {
            Ok(()) => Ok(Commit::Committed),
            Err(WriteError::ConditionFailed(_)) => Ok(Commit::Conflict),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// Leaves a tombstone for an image that does not exist, so that its id is never used. Does nothing if it exists, or
    /// has existed. One put.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn bury_image(&self, id: &ImageId) -> Result<Commit, StoreError> {
        self.commit(&[Write::put(keys::head(id)).only_if("attribute_not_exists(pk)")]).await
    }

    /// Reads the number of images that a tenant owns. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn image_count(&self, tenant: &TenantId) -> Result<u32, StoreError> {
        let item = self.read_one(keys::tenant(tenant)).await?.unwrap_or_default();
        item::find_number(&item, "images").map(Option::unwrap_or_default)
    }
}

/// Adds the condition that an image has no members, or still the recipients that were read.
fn if_members_are(head: Write, members: MemberUpdate<'_>) -> Write {
    match members {
        MemberUpdate::RequireNone => {
            head.and_if(format!("{MEMBERS} = :none")).value(":none", item::number(0))
        }
        MemberUpdate::Keep => head,
        MemberUpdate::Change(recipients, _) => {
            let head = head.and_if(format!("{MEMBER_REV} = :member_rev"));
            head.value(":member_rev", item::number(recipients.revision))
        }
    }
}
