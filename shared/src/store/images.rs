//! Images: made, read, changed and deleted.
//!
//! A deleted image leaves a tombstone, so that its id is never used again: a membership, a job or a marker that still
//! names it can then never mean another image. It is its key, and the counts of its members where a job still counts them
//! down.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::call::{NotWritten, is_condition};
use super::decided::PENDING;
use super::item::{self, Item};
use super::jobs::job_writes;
use super::keys::{self, GPK, GSK, List, Position};
use super::memberships::{MEMBER_REV, Recipients};
use super::{Store, StoreError};
use crate::domain::{Details, Image, ImageId, Job, TenantId, Timestamp, Visibility};
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
}

/// What came of changing an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is changed.
    Yes,
    /// It was changed or deleted by somebody else in the meantime.
    Stale,
}

/// What came of deleting an image.
pub type Deleted = Written;

/// The attributes that an image is read from. All that no condition asks for is in one of them, as JSON: a page reads a
/// hundred images, and each attribute of each is parsed several times on its way.
const SHOWN: Attributes = Attributes::These(&[keys::PK, "visibility", "members", "rev", RECORD]);

/// What an image is, apart from that. A tombstone has none.
const RECORD: &str = "image";

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    owner: Cow<'a, TenantId>,
    created: Timestamp,
    updated: Timestamp,
    details: Cow<'a, Details>,
}

impl<'a> Record<'a> {
    fn of(image: &'a Image) -> Self {
        let (created, updated) = (image.created, image.updated);
        Self { owner: Cow::Borrowed(&image.owner), created, updated, details: Cow::Borrowed(&image.details) }
    }
}

/// The condition of a write onto what was read of an image.
pub(super) const AS_READ: &str = "attribute_exists(image) AND rev = :read";

impl Store {
    /// Registers an image. One transaction: the image, its owner's count, and its listing where it is open.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn create_image(&self, image: &Image, most_images: u32) -> Result<Created, StoreError> {
        let put = Write::put(item_of(image)?).only_if("attribute_not_exists(pk)");
        let count = Write::update(keys::tenant(&image.owner), "ADD images :one")
            .only_if("attribute_not_exists(images) OR images < :most")
            .value(":one", item::number(1))
            .value(":most", item::number(most_images));
        let mut writes = vec![put, count];
        if image.visibility.is_open() {
            writes.push(list_openly(image));
        }
        match self.transact(&writes).await {
            Ok(()) => Ok(Created::Yes),
            Err(NotWritten::Store(error)) => Err(error),
            Err(NotWritten::Conditions(reasons)) if reasons.first().is_some_and(is_condition) => {
                Ok(Created::IdTaken)
            }
            Err(NotWritten::Conditions(_)) => Ok(Created::TooMany),
        }
    }

    /// Reads the images of those ids; a missing or deleted one is missing.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn images<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a ImageId>,
    ) -> Result<HashMap<ImageId, Image>, StoreError> {
        by_id(&self.read(ids.into_iter().map(keys::image).collect()).await?)
    }

    /// Reads the images of a page of a list, as they were a moment ago; a missing or deleted one is missing.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn listed_images<'a>(
        &self,
        ids: impl IntoIterator<Item = &'a ImageId>,
    ) -> Result<HashMap<ImageId, Image>, StoreError> {
        by_id(&self.read_eventually(ids.into_iter().map(keys::image).collect(), SHOWN).await?)
    }

    /// Reads one image; `None` where it is missing or deleted.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn image(&self, id: &ImageId) -> Result<Option<Image>, StoreError> {
        self.read_one(keys::image(id)).await?.as_ref().map_or(Ok(None), parse)
    }

    /// Writes the details and the visibility of an image onto the revision that it was read at.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn update_image(&self, read: &Image, image: &Image) -> Result<Written, StoreError> {
        let record = "SET image = :image, visibility = :visibility, rev = :next";
        let update = Write::update(keys::image(&image.id), record);
        let update = if image.details.is_made_as(&read.details) {
            update.only_if(AS_READ)
        } else {
            update.only_if(format!("{AS_READ} AND members = :none")).value(":none", item::number(0))
        };
        let update = update
            .value(":image", item::json(&Record::of(image))?)
            .value(":visibility", item::text(image.visibility))
            .value(":next", item::text(read.revision + 1))
            .value(":read", item::text(read.revision));
        let mut writes = vec![update];
        if image.visibility.is_open() {
            writes.push(list_openly(image));
        } else if read.visibility.is_open() {
            writes.push(unlist(&image.id));
        }
        self.written(&writes).await
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
        let tombstone = match unshare {
            None => "REMOVE image, gpk, gsk, visibility, rev, members, member_rev",
            Some(_) => "REMOVE image, gpk, gsk, visibility, rev",
        };
        let tombstone = Write::update(keys::image(&read.id), tombstone)
            .only_if("attribute_exists(image) AND rev = :read AND member_rev = :member_rev")
            .value(":read", item::text(read.revision))
            .value(":member_rev", item::number(recipients.revision));
        let count = Write::update(keys::tenant(&read.owner), "ADD images :minus_one");
        let mut writes = vec![tombstone, count.value(":minus_one", item::number(-1))];
        if read.visibility.is_open() {
            writes.push(unlist(&read.id));
        }
        if let Some(job) = unshare {
            writes.extend(job_writes(job)?);
        }
        self.written(&writes).await
    }

    /// How many images a tenant owns, and how many wait for its answer. One read.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn image_counts(&self, tenant: &TenantId) -> Result<(u32, u32), StoreError> {
        let item = self.read_one(keys::tenant(tenant)).await?.unwrap_or_default();
        let count = |name| item::find_number(&item, name).map(Option::unwrap_or_default);
        Ok((count("images")?, count(PENDING)?))
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
    let place = [(GPK, item::text(List::Open(image.visibility))), (GSK, item::text(position_of(image)))];
    Write::put(item::item(keys::listing(&image.id), place))
}

fn unlist(image: &ImageId) -> Write {
    Write::delete(keys::listing(image))
}

fn by_id(items: &[Item]) -> Result<HashMap<ImageId, Image>, StoreError> {
    let images = items.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(images.into_iter().flatten().map(|image| (image.id.clone(), image)).collect())
}

/// Where an image stands in its lists.
pub(super) fn position_of(image: &Image) -> Position {
    Position { created: image.created, image: image.id.clone() }
}

fn item_of(image: &Image) -> Result<Item, StoreError> {
    let attributes = [
        (GPK, item::text(List::Owned(image.owner.clone()))),
        (GSK, item::text(position_of(image))),
        ("visibility", item::text(image.visibility)),
        (RECORD, item::json(&Record::of(image))?),
        ("members", item::number(image.members)),
        (MEMBER_REV, item::number(0)),
        ("rev", item::text(image.revision)),
    ];
    Ok(item::item(keys::image(&image.id), attributes))
}

/// Reads an image; `None` for a tombstone, which has no record.
pub(super) fn parse(item: &Item) -> Result<Option<Image>, StoreError> {
    if !item.contains_key(RECORD) {
        return Ok(None);
    }
    let record: Record<'_> = item::get_json(item, RECORD)?;
    let id =
        keys::image_of_partition(item::get_text(item, keys::PK)?).ok_or(StoreError::Unreadable(keys::PK))?;
    Ok(Some(Image {
        id,
        owner: record.owner.into_owned(),
        visibility: item::get_parsed::<Visibility>(item, "visibility")?,
        details: record.details.into_owned(),
        members: item::get_number(item, "members")?,
        created: record.created,
        updated: record.updated,
        revision: item::get_parsed(item, "rev")?,
    }))
}
