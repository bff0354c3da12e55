//! Images: made, read, changed and deleted, with their entries in the lists of their owner and of all, and what they are
//! filed under.
//!
//! A deleted image leaves a tombstone, so that its id is never used again: a membership, a job or a marker that still
//! names it can then never mean another image. It is its key, and the counts of its members where a job still counts them
//! down.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::call::{NotWritten, is_condition};
use super::filings::Filings;
use super::item::{self, Item};
use super::jobs::{Release, job_writes};
use super::keys::{self, List, list_entry, short};
use super::memberships::{MEMBER_REV, Recipients};
use super::requests::{Remembered, remember_created};
use super::{Store, StoreError, memberships};
use crate::domain::{Details, Image, ImageHead, ImageId, Job, Make, Status, TenantId, Timestamp, Visibility};
use crate::table::{Attributes, Write};

/// What came of registering an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It is registered.
    Yes,
    /// There is, or was, an image of that id.
    IdTaken,
    /// Its owner has as many images as it may have.
    TooMany,
    /// The idempotency key of the request was used before.
    Before,
}

/// What came of changing an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is changed.
    Yes,
    /// It was changed or deleted by somebody else in the meantime.
    Stale,
}

/// What came of updating an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdatedImage {
    /// It is updated.
    Yes,
    /// It, or the number of its members, was changed by somebody else in the meantime.
    Stale,
}

/// What an update does about an image's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembersThen<'a> {
    /// There must be none.
    None,
    /// There may be some, and nothing that their entries in lists say changes.
    Kept,
    /// A job of that transaction rewrites their entries. It must name all of these recipients.
    Refreshed(&'a Recipients, &'a Job),
}

/// What came of deleting an image.
pub type Deleted = Written;

/// The attributes that a listed image is read from. All that no condition asks for is in one of them, as JSON: a page reads
/// a hundred images, and each attribute of each is parsed several times on its way.
const SHOWN: Attributes =
    Attributes::These(&[keys::PK, keys::SK, RECORD, "rev", MEMBERS, memberships::MEMBERSHIP]);

/// The attribute of a record that holds what is shown of an image.
const RECORD: &str = "image";

/// The attribute of a head that holds what sharing reads of an image, but for its number of members. A tombstone has none.
const HEAD: &str = "head";

/// The attribute of a head that counts the image's members.
const MEMBERS: &str = "members";

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    owner: Cow<'a, TenantId>,
    visibility: Visibility,
    created: Timestamp,
    updated: Timestamp,
    details: Cow<'a, Details>,
}

impl<'a> Record<'a> {
    fn of(image: &'a Image) -> Self {
        let Image { visibility, created, updated, .. } = *image;
        let (owner, details) = (Cow::Borrowed(&image.owner), Cow::Borrowed(&image.details));
        Self { owner, visibility, created, updated, details }
    }
}

#[derive(Serialize, Deserialize)]
struct HeadRecord {
    owner: TenantId,
    visibility: Visibility,
    make: Make,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    created: Timestamp,
    updated: Timestamp,
}

impl HeadRecord {
    fn of(image: &Image) -> Self {
        let ImageHead { owner, visibility, make, name, created, updated, .. } = image.head(0);
        // Only lists need it here, and a head is to stay small.
        let name = name.map(|name| short(&name).to_owned());
        Self { owner, visibility, make, name, created, updated }
    }
}

/// The condition of a write onto what was read of an image's head.
pub(super) const AS_READ: &str = "attribute_exists(head) AND rev = :read";

/// What is read of the images of a page of a list.
#[derive(Debug, Default)]
pub struct Wanted<'a> {
    /// The images.
    pub images: Vec<&'a ImageId>,
    /// Of which of them the number of members is wanted.
    pub counted: Vec<&'a ImageId>,
    /// Of which of them the answer of that tenant is wanted, if they are shared with it.
    pub answered: Vec<&'a ImageId>,
    /// The tenant.
    pub by: Option<&'a TenantId>,
}

/// An image of a page of a list, and what else was wanted of it.
#[derive(Debug)]
pub struct ListedImage {
    /// The image.
    pub image: Image,
    /// The number of its members; 0 where it was not wanted.
    pub members: u32,
    /// What the tenant has answered; `None` where it was not wanted or the image is not shared with the tenant.
    pub answer: Option<Status>,
}

impl Store {
    /// Registers an image. One transaction: its head and its record, its owner's count, its listing where it is open, an item
    /// for each tag, and the request under its idempotency key; more transactions before it where it has more than 60 tags.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn create_image(
        &self,
        image: &Image,
        most_images: u32,
        remembered: Option<&Remembered>,
    ) -> Result<Created, StoreError> {
        let head = Write::put(head_of(image)?).only_if("attribute_not_exists(pk)");
        let count = Write::update(keys::tenant(&image.owner), "ADD images :one")
            .only_if("attribute_not_exists(images) OR images < :most")
            .value(":one", item::number(1))
            .value(":most", item::number(most_images));
        let filings = Filings::change(None, Some(image));
        let mut writes = vec![head, count, Write::put(item_of(image)?)];
        if image.visibility.is_open() {
            writes.push(list_openly(image));
        }
        let place_of_key = writes.len();
        writes.extend(remembered.map(|request| remember_created(request, image.id.as_str(), image.created)));
        match self.transact_filing(writes, filings).await {
            Ok(()) => Ok(Created::Yes),
            Err(NotWritten::Store(error)) => Err(error),
            Err(NotWritten::Conditions(reasons))
                if remembered.is_some() && reasons.get(place_of_key).is_some_and(is_condition) =>
            {
                Ok(Created::Before)
            }
            Err(NotWritten::Conditions(reasons)) if reasons.first().is_some_and(is_condition) => {
                Ok(Created::IdTaken)
            }
            Err(NotWritten::Conditions(_)) => Ok(Created::TooMany),
        }
    }

    /// Reads the heads of the images of those ids; a missing or deleted one is missing. One batch read for every 100.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn heads<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a ImageId>,
    ) -> Result<HashMap<ImageId, ImageHead>, StoreError> {
        let items = self.read(ids.into_iter().map(keys::head).collect()).await?;
        let heads = items.iter().map(parse_head).collect::<Result<Vec<_>, _>>()?;
        Ok(heads.into_iter().flatten().map(|head| (head.id.clone(), head)).collect())
    }

    /// Reads the head of one image; `None` where it is missing or deleted. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn head(&self, id: &ImageId) -> Result<Option<ImageHead>, StoreError> {
        self.read_one(keys::head(id)).await?.as_ref().map_or(Ok(None), parse_head)
    }

    /// Reads the images of a page of a list, as they were a moment ago; a missing or deleted one is missing. One batch read
    /// for every 100 items.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn listed_images(
        &self,
        wanted: &Wanted<'_>,
    ) -> Result<HashMap<ImageId, ListedImage>, StoreError> {
        let records = wanted.images.iter().map(|id| keys::image(id));
        let heads = wanted.counted.iter().map(|id| keys::head(id));
        let answers = wanted
            .by
            .into_iter()
            .flat_map(|tenant| wanted.answered.iter().map(move |id| keys::membership(id, tenant)));
        let keys = records.chain(heads).chain(answers).collect();
        let (mut images, mut members, mut answers) = (HashMap::new(), HashMap::new(), HashMap::new());
        for item in &self.read_eventually(keys, SHOWN).await? {
            if item.contains_key(MEMBERS) {
                members.insert(id_of(item)?, item::get_number(item, MEMBERS)?);
            } else if item.contains_key(memberships::MEMBERSHIP) {
                answers.extend(
                    memberships::answer(item)?
                        .map(|answer| Ok::<_, StoreError>((id_of(item)?, answer)))
                        .transpose()?,
                );
            } else if let Some(image) = parse(item)? {
                images.insert(image.id.clone(), ListedImage { image, members: 0, answer: None });
            }
        }
        for (id, image) in &mut images {
            image.members = members.get(id).copied().unwrap_or_default();
            image.answer = answers.get(id).copied();
        }
        Ok(images)
    }

    /// Reads one image; `None` where it is missing or deleted.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn image(&self, id: &ImageId) -> Result<Option<Image>, StoreError> {
        self.read_one(keys::image(id)).await?.as_ref().map_or(Ok(None), parse)
    }

    /// Reads an image and its head, in one round trip; each is `None` where it is missing or deleted.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn image_and_head(
        &self,
        id: &ImageId,
    ) -> Result<(Option<Image>, Option<ImageHead>), StoreError> {
        let (mut image, mut head) = (None, None);
        for item in self.read(vec![keys::image(id), keys::head(id)]).await? {
            image = image.or(parse(&item)?);
            head = head.or(parse_head(&item)?);
        }
        Ok((image, head))
    }

    /// Writes the details and the visibility of an image onto the revision that it was read at, provided that its members
    /// are as `members` says. One transaction of its record and its head, its listing where it is open, an item for each tag
    /// that comes or goes, and the job; more transactions where more than 60 tags change.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn update_image(
        &self,
        read: &Image,
        image: &Image,
        members: MembersThen<'_>,
    ) -> Result<UpdatedImage, StoreError> {
        let record = Write::put(item_of(image)?).only_if("rev = :read");
        let record = record.value(":read", item::text(read.revision));
        let head = Write::update(keys::head(&image.id), "SET head = :head, rev = :next")
            .value(":head", item::json(&HeadRecord::of(image))?)
            .value(":next", item::text(image.revision));
        let head = match members {
            MembersThen::None => head.only_if("members = :none").value(":none", item::number(0)),
            MembersThen::Kept => head,
            MembersThen::Refreshed(recipients, _) => head
                .only_if("member_rev = :member_rev")
                .value(":member_rev", item::number(recipients.revision)),
        };
        let mut writes = vec![record, head];
        if image.visibility.is_open() {
            writes.push(list_openly(image));
        } else if read.visibility.is_open() {
            writes.push(unlist(&image.id));
        }
        if let MembersThen::Refreshed(_, job) = members {
            writes.extend(job_writes(job, Release::First)?);
        }
        let filings = Filings::change(Some(read), Some(image));
        match self.transact_filing(writes, filings).await {
            Ok(()) => Ok(UpdatedImage::Yes),
            Err(NotWritten::Store(error)) => Err(error),
            Err(NotWritten::Conditions(_)) => Ok(UpdatedImage::Stale),
        }
    }

    /// Deletes an image. `unshare` is the job that ends its memberships; it must name all of its `recipients`, and becomes
    /// one with the deletion.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn delete_image(
        &self,
        read: &Image,
        recipients: &Recipients,
        unshare: Option<&Job>,
    ) -> Result<Deleted, StoreError> {
        // All but the key goes: that the id was used is kept for ever.
        let tombstone = Write::update(keys::head(&read.id), "REMOVE head, rev, members, member_rev")
            .only_if("attribute_exists(head) AND rev = :read AND member_rev = :member_rev")
            .value(":read", item::text(read.revision))
            .value(":member_rev", item::number(recipients.revision));
        let count = Write::update(keys::tenant(&read.owner), "ADD images :minus_one");
        let record = Write::delete(keys::image(&read.id));
        let mut writes = vec![tombstone, record, count.value(":minus_one", item::number(-1))];
        if read.visibility.is_open() {
            writes.push(unlist(&read.id));
        }
        if let Some(job) = unshare {
            writes.extend(job_writes(job, Release::First)?);
        }
        match self.transact_filing(writes, Filings::change(Some(read), None)).await {
            Ok(()) => Ok(Written::Yes),
            Err(NotWritten::Conditions(_)) => Ok(Written::Stale),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }

    /// How many images a tenant owns. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn image_count(&self, tenant: &TenantId) -> Result<u32, StoreError> {
        let item = self.read_one(keys::tenant(tenant)).await?.unwrap_or_default();
        item::find_number(&item, "images").map(Option::unwrap_or_default)
    }

    /// Writes all of the items or none.
    pub(super) async fn written(&self, writes: &[Write]) -> Result<Written, StoreError> {
        match self.write(writes).await {
            Ok(()) => Ok(Written::Yes),
            Err(NotWritten::Conditions(_)) => Ok(Written::Stale),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }
}

fn list_openly(image: &Image) -> Write {
    let place = list_entry(&List::Open(image.visibility), &image.into());
    Write::put(item::item(keys::listing(&image.id), place))
}

fn unlist(image: &ImageId) -> Write {
    Write::delete(keys::listing(image))
}

fn item_of(image: &Image) -> Result<Item, StoreError> {
    let attributes = [(RECORD, item::json(&Record::of(image))?), ("rev", item::text(image.revision))];
    let place = list_entry(&List::Owned(image.owner.clone()), &image.into());
    Ok(item::item(keys::image(&image.id), attributes.into_iter().chain(place)))
}

fn head_of(image: &Image) -> Result<Item, StoreError> {
    let attributes = [
        (HEAD, item::json(&HeadRecord::of(image))?),
        (MEMBERS, item::number(0)),
        (MEMBER_REV, item::number(0)),
        ("rev", item::text(image.revision)),
    ];
    Ok(item::item(keys::head(&image.id), attributes))
}

fn id_of(item: &Item) -> Result<ImageId, StoreError> {
    keys::image_of_partition(item::get_text(item, keys::PK)?).ok_or(StoreError::Unreadable(keys::PK))
}

/// Reads an image from its record; `None` for an item of another kind.
pub(super) fn parse(item: &Item) -> Result<Option<Image>, StoreError> {
    if !item.contains_key(RECORD) {
        return Ok(None);
    }
    let record: Record<'_> = item::get_json(item, RECORD)?;
    Ok(Some(Image {
        id: id_of(item)?,
        owner: record.owner.into_owned(),
        visibility: record.visibility,
        details: record.details.into_owned(),
        created: record.created,
        updated: record.updated,
        revision: item::get_parsed(item, "rev")?,
    }))
}

/// Reads an image's head; `None` for a tombstone and for an item of another kind.
pub(super) fn parse_head(item: &Item) -> Result<Option<ImageHead>, StoreError> {
    if !item.contains_key(HEAD) {
        return Ok(None);
    }
    let HeadRecord { owner, visibility, make, name, created, updated } = item::get_json(item, HEAD)?;
    let (members, revision) = (item::get_number(item, MEMBERS)?, item::get_parsed(item, "rev")?);
    Ok(Some(ImageHead {
        id: id_of(item)?,
        owner,
        visibility,
        make,
        name,
        created,
        updated,
        members,
        revision,
    }))
}
