//! Images: made, read, changed and deleted, with their entries in the lists of their owner and of all, and what they are
//! filed under.
//!
//! A deleted image leaves a tombstone, so that its id is never used again: a membership, a job or a marker that still
//! names it can then never mean another image. It is its key, and the counts of its members where a job still counts them
//! down.

use std::collections::HashMap;

use super::client::Store;
use super::error::{StoreError, WriteError};
use super::item;
use super::items::idempotency::{IdempotencyRequest, record_created};
use super::items::image::{
    HeadRecord, LISTED_ATTRIBUTES, MEMBERS, delete_listing, head_item, image_item, parse, parse_head,
    parse_image_id, put_listing,
};
use super::items::job::{JobStart, job_writes};
use super::items::membership;
use super::keys;
use super::lookups::LookupChanges;
use super::memberships::Recipients;
use super::table_calls::{Commit, is_condition_failure};
use crate::domain::{Image, ImageHead, ImageId, Job, Status, TenantId, Unauthorized};
use crate::table::Write;

/// What came of registering an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateOutcome {
    /// It is registered.
    Created,
    /// There is, or was, an image of that id.
    IdTaken,
    /// Its owner has as many images as it may have.
    LimitReached,
    /// The idempotency key of the request was used before.
    IdempotencyKeyUsed,
}

/// What came of updating an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// It is updated.
    Updated,
    /// It, or the number of its members, was changed by somebody else in the meantime.
    Conflict,
}

/// What an update does about an image's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberUpdate<'a> {
    /// There must be none.
    RequireNone,
    /// There may be some, and nothing that their entries in lists say changes.
    Keep,
    /// A job of that transaction rewrites their entries. It must name all of these recipients.
    Refresh(&'a Recipients, &'a Job),
}

/// What came of deleting an image.
pub type DeleteOutcome = Commit;

/// What is read of the images of a page of a list.
#[derive(Debug, Default)]
pub struct ImageFetch<'a> {
    /// The images.
    pub images: Vec<&'a ImageId>,
    /// Of which of them the number of members is wanted.
    pub with_member_count: Vec<&'a ImageId>,
    /// Of which of them the answer of that tenant is wanted, if they are shared with it.
    pub with_status: Vec<&'a ImageId>,
    /// The tenant.
    pub tenant: Option<&'a TenantId>,
}

/// An image of a page of a list, and what else was wanted of it.
#[derive(Debug)]
pub struct ListedImage {
    /// The image.
    pub image: Unauthorized<Image>,
    /// The number of its members; 0 where it was not wanted.
    pub member_count: u32,
    /// What the tenant has answered; `None` where it was not wanted or the image is not shared with the tenant.
    pub status: Option<Status>,
}

impl Store {
    /// Registers an image. One transaction: its head and its record, its owner's count, its listing where it is open, an item
    /// for each tag, and the request under its idempotency key; more transactions before it where it has more than 60 tags.
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
            .only_if("attribute_not_exists(images) OR images < :most")
            .value(":one", item::number(1))
            .value(":most", item::number(max_images));
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

    /// Reads how many members some images have; a missing or deleted image is missing. One batch read for every 100.
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

    /// Reads the head of one image; `None` where it is missing or deleted. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn head(&self, id: &ImageId) -> Result<Option<Unauthorized<ImageHead>>, StoreError> {
        let item = self.read_one(keys::head(id)).await?;
        Ok(item.as_ref().map_or(Ok(None), parse_head)?.map(Unauthorized::new))
    }

    /// Reads the images of a page of a list, as they were a moment ago; a missing or deleted one is missing. One batch read
    /// for every 100 items.
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
            .flat_map(|tenant| fetch.with_status.iter().map(move |id| keys::membership(id, tenant)));
        let keys = records.chain(heads).chain(memberships).collect();
        let (mut images, mut members, mut statuses) = (HashMap::new(), HashMap::new(), HashMap::new());
        for item in &self.read_eventually(keys, LISTED_ATTRIBUTES).await? {
            if item.contains_key(MEMBERS) {
                members.insert(parse_image_id(item)?, item::get_number(item, MEMBERS)?);
            } else if item.contains_key(membership::MEMBERSHIP) {
                statuses.extend(
                    membership::parse_status(item)?
                        .map(|answer| Ok::<_, StoreError>((parse_image_id(item)?, answer)))
                        .transpose()?,
                );
            } else if let Some(image) = parse(item)? {
                let id = image.id.clone();
                images.insert(
                    id,
                    ListedImage { image: Unauthorized::new(image), member_count: 0, status: None },
                );
            }
        }
        for (id, image) in &mut images {
            image.member_count = members.get(id).copied().unwrap_or_default();
            image.status = statuses.get(id).copied();
        }
        Ok(images)
    }

    /// Reads one image; `None` where it is missing or deleted. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn image(&self, id: &ImageId) -> Result<Option<Unauthorized<Image>>, StoreError> {
        let item = self.read_one(keys::image(id)).await?;
        Ok(item.as_ref().map_or(Ok(None), parse)?.map(Unauthorized::new))
    }

    /// Reads an image and its head, in one batch read; `None` where the image is missing or deleted. The head alone is
    /// `None` where the image was registered or deleted while they were read: a batch read is not of one moment.
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

    /// Writes the details and the visibility of an image onto the revision that it was read at, provided that its members
    /// are as `members` says. One transaction of its record and its head, its listing where it is open, an item for each tag
    /// that comes or goes, and the job; more transactions where more than 60 tags change.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn update_image(
        &self,
        previous: &Image,
        image: &Image,
        members: MemberUpdate<'_>,
    ) -> Result<UpdateOutcome, StoreError> {
        let record = Write::put(image_item(image)?).only_if("rev = :read");
        let record = record.value(":read", item::text(previous.revision));
        let head = Write::update(keys::head(&image.id), "SET head = :head, rev = :next")
            .value(":head", item::json(&HeadRecord::from_image(image))?)
            .value(":next", item::text(image.revision));
        let head = match members {
            MemberUpdate::RequireNone => head.only_if("members = :none").value(":none", item::number(0)),
            MemberUpdate::Keep => head,
            MemberUpdate::Refresh(recipients, _) => head
                .only_if("member_rev = :member_rev")
                .value(":member_rev", item::number(recipients.revision)),
        };
        let mut writes = vec![record, head];
        if image.visibility.is_visible_to_all() {
            writes.push(put_listing(image));
        } else if previous.visibility.is_visible_to_all() {
            writes.push(delete_listing(&image.id));
        }
        if let MemberUpdate::Refresh(_, job) = members {
            writes.extend(job_writes(job, JobStart::Immediate)?);
        }
        let lookups = LookupChanges::between(Some(previous), Some(image));
        match self.transact_with_lookups(writes, lookups).await {
            Ok(()) => Ok(UpdateOutcome::Updated),
            Err(WriteError::Store(error)) => Err(error),
            Err(WriteError::ConditionFailed(_)) => Ok(UpdateOutcome::Conflict),
        }
    }

    /// Deletes an image. `unshare` is the job that ends its memberships; it must name all of its `recipients`, and becomes
    /// one with the deletion.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn delete_image(
        &self,
        image: &Image,
        recipients: &Recipients,
        unshare: Option<&Job>,
    ) -> Result<DeleteOutcome, StoreError> {
        // All but the key goes: that the id was used is kept for ever.
        let tombstone = Write::update(keys::head(&image.id), "REMOVE head, rev, members, member_rev")
            .only_if("attribute_exists(head) AND rev = :read AND member_rev = :member_rev")
            .value(":read", item::text(image.revision))
            .value(":member_rev", item::number(recipients.revision));
        let count = Write::update(keys::tenant(&image.owner), "ADD images :minus_one");
        let record = Write::delete(keys::image(&image.id));
        let mut writes = vec![tombstone, record, count.value(":minus_one", item::number(-1))];
        if image.visibility.is_visible_to_all() {
            writes.push(delete_listing(&image.id));
        }
        if let Some(job) = unshare {
            writes.extend(job_writes(job, JobStart::Immediate)?);
        }
        match self.transact_with_lookups(writes, LookupChanges::between(Some(image), None)).await {
            Ok(()) => Ok(Commit::Committed),
            Err(WriteError::ConditionFailed(_)) => Ok(Commit::Conflict),
            Err(WriteError::Store(error)) => Err(error),
        }
    }

    /// How many images a tenant owns. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn image_count(&self, tenant: &TenantId) -> Result<u32, StoreError> {
        let item = self.read_one(keys::tenant(tenant)).await?.unwrap_or_default();
        item::find_number(&item, "images").map(Option::unwrap_or_default)
    }
}
