//! Images: made, read, changed and deleted.
//!
//! A deleted image leaves a tombstone, so that its id is never used again: a membership, a job or a marker that still
//! names it can then never mean another image.

use std::borrow::Cow;
use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    Delete, Put, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update,
};

use serde::{Deserialize, Serialize};

use super::call::NotWritten;
use super::item::{self, Item};
use super::keys::{self, GPK, GSK, List, Position};
use super::{Store, StoreError};
use crate::domain::{Details, Image, ImageId, Job, TenantId, Timestamp, Visibility};

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

const ACTIVE: &str = "active";
const DELETED: &str = "deleted";

/// The attributes that an image is read from. All that no condition asks for is in one of them, as JSON: a page reads a
/// hundred images, and each attribute of each is parsed several times on its way.
const SHOWN: [&str; 5] = [keys::PK, "visibility", "members", "rev", RECORD];
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

impl Store {
    /// Registers an image. One transaction: the image, its owner's count, and its listing where it is open.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn create_image(&self, image: &Image, most_images: u32) -> Result<Created, StoreError> {
        let put = self
            .put(keys::image(&image.id), item_of(image)?)
            .condition_expression("attribute_not_exists(pk)");
        let count = self
            .update(keys::tenant(&image.owner))
            .update_expression("ADD images :one")
            .condition_expression("attribute_not_exists(images) OR images < :most")
            .expression_attribute_values(":one", item::number(1))
            .expression_attribute_values(":most", item::number(most_images));
        let mut items = vec![write_put(put)?, write_update(count)?];
        if image.visibility.is_open() {
            items.push(self.list_openly(image)?);
        }
        match self.transact(items).await {
            Ok(()) => Ok(Created::Yes),
            Err(NotWritten::Store(error)) => Err(error),
            Err(NotWritten::Conditions(reasons)) if reasons.first().is_some_and(|reason| reason.failed) => {
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
        by_id(&self.read_eventually(ids.into_iter().map(keys::image).collect(), &SHOWN).await?)
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
        let update = self
            .update(keys::image(&image.id))
            .update_expression("SET image = :image, visibility = :visibility, rev = :next")
            .condition_expression("lifecycle = :active AND rev = :read")
            .expression_attribute_values(":image", item::json(&Record::of(image))?)
            .expression_attribute_values(":visibility", item::text(image.visibility))
            .expression_attribute_values(":next", item::number(read.revision + 1))
            .expression_attribute_values(":read", item::number(read.revision))
            .expression_attribute_values(":active", item::text(ACTIVE));
        let mut items = vec![write_update(update)?];
        if image.visibility.is_open() {
            items.push(self.list_openly(image)?);
        } else if read.visibility.is_open() {
            items.push(self.unlist(&image.id)?);
        }
        self.written(items).await
    }

    /// Deletes an image. `unshare` is the job that ends its memberships; it must name every tenant that the image was
    /// shared with when it was read, and becomes one with the deletion.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn delete_image(&self, read: &Image, unshare: Option<&Job>) -> Result<Deleted, StoreError> {
        let tombstone = self
            .update(keys::image(&read.id))
            .update_expression("SET lifecycle = :deleted REMOVE image, gpk, gsk")
            .condition_expression("lifecycle = :active AND rev = :read AND members = :members")
            .expression_attribute_values(":deleted", item::text(DELETED))
            .expression_attribute_values(":active", item::text(ACTIVE))
            .expression_attribute_values(":read", item::number(read.revision))
            .expression_attribute_values(":members", item::number(read.members));
        let count = self
            .update(keys::tenant(&read.owner))
            .update_expression("ADD images :minus_one")
            .expression_attribute_values(":minus_one", item::number(-1));
        let mut items = vec![write_update(tombstone)?, write_update(count)?];
        if read.visibility.is_open() {
            items.push(self.unlist(&read.id)?);
        }
        if let Some(job) = unshare {
            items.extend(self.job_items(job)?);
        }
        self.written(items).await
    }

    /// How many images a tenant owns.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn image_count(&self, owner: &TenantId) -> Result<u32, StoreError> {
        let item = self.read_one(keys::tenant(owner)).await?.unwrap_or_default();
        Ok(item::find_number(&item, "images")?.unwrap_or_default())
    }

    /// Writes all of the items or none.
    pub(super) async fn written(&self, items: Vec<TransactWriteItem>) -> Result<Written, StoreError> {
        match self.write(items).await {
            Ok(()) => Ok(Written::Yes),
            Err(NotWritten::Conditions(_)) => Ok(Written::Stale),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }

    fn list_openly(&self, image: &Image) -> Result<TransactWriteItem, StoreError> {
        let attributes = [
            (GPK.to_owned(), item::text(List::Open(image.visibility))),
            (GSK.to_owned(), item::text(position_of(image))),
        ];
        write_put(self.put(keys::listing(&image.id), attributes))
    }

    fn unlist(&self, image: &ImageId) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder().table_name(&self.table).set_key(Some(keys::listing(image))).build();
        Ok(TransactWriteItem::builder()
            .delete(delete.map_err(|error| StoreError::Refused(error.to_string()))?)
            .build())
    }

    /// The start of a put in a transaction.
    pub(super) fn put(
        &self,
        key: keys::Key,
        attributes: impl IntoIterator<Item = (String, aws_sdk_dynamodb::types::AttributeValue)>,
    ) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        let item: Item = key.into_iter().chain(attributes).collect();
        Put::builder().table_name(&self.table).set_item(Some(item))
    }

    /// The start of an update in a transaction.
    pub(super) fn update(&self, key: keys::Key) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder().table_name(&self.table).set_key(Some(key))
    }
}

fn by_id(items: &[Item]) -> Result<HashMap<ImageId, Image>, StoreError> {
    let images = items.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok(images.into_iter().flatten().map(|image| (image.id.clone(), image)).collect())
}

/// Where an image stands in its lists.
pub(super) fn position_of(image: &Image) -> Position {
    Position { created: image.created, image: image.id.clone() }
}

/// The end of a put in a transaction; the item that made its condition fail comes back.
pub(super) fn write_put(
    put: aws_sdk_dynamodb::types::builders::PutBuilder,
) -> Result<TransactWriteItem, StoreError> {
    let put = put.return_values_on_condition_check_failure(OnFailure::AllOld).build();
    Ok(TransactWriteItem::builder().put(put.map_err(|error| StoreError::Refused(error.to_string()))?).build())
}

/// The end of an update in a transaction.
pub(super) fn write_update(
    update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
) -> Result<TransactWriteItem, StoreError> {
    let update = update.build().map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

fn item_of(image: &Image) -> Result<Item, StoreError> {
    let attributes = [
        (GPK, item::text(List::Owned(image.owner.clone()))),
        (GSK, item::text(position_of(image))),
        ("lifecycle", item::text(ACTIVE)),
        ("visibility", item::text(image.visibility)),
        (RECORD, item::json(&Record::of(image))?),
        ("members", item::number(image.members)),
        ("rev", item::number(image.revision)),
    ];
    Ok(attributes.map(|(name, value)| (name.to_owned(), value)).into())
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
        revision: item::get_number(item, "rev")?,
    }))
}
