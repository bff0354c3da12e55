//! The items of an image: the record that readers read, the head that sharing reads and writes, and the listing of an
//! image that is visible to all. The head of a deleted image is a tombstone, without attributes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::membership::{MEMBERSHIP, UPDATED};
use crate::domain::{Details, Image, ImageHead, ImageId, ImageSpec, TenantId, Timestamp, Visibility};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, List, list_entry_attributes, name_prefix};
use crate::table::{Projection, Write};

/// The attributes that are read for a list. Everything that no condition needs is in a single attribute, as JSON: a
/// page has a hundred images, and every attribute of each is parsed several times on its way.
pub const LISTED_ATTRIBUTES: Projection =
    Projection::Only(&[keys::PK, keys::SK, RECORD, item::REV, MEMBERS, MEMBERSHIP, UPDATED]);

/// The attribute of a record that holds the image as JSON.
pub const RECORD: &str = "image";

/// The attribute of a head that holds, as JSON, what sharing reads except the member count. A tombstone has none.
pub const HEAD: &str = "head";

/// The attribute of a head that holds the member count.
pub const MEMBERS: &str = "members";

/// The attribute of a head that every change of members increments, so that an update or a deletion conflicts with it.
pub const MEMBER_REV: &str = "member_rev";

#[derive(Serialize, Deserialize)]
pub struct ImageRecord<'a> {
    owner: Cow<'a, TenantId>,
    visibility: Visibility,
    created: Timestamp,
    updated: Timestamp,
    details: Cow<'a, Details>,
}

impl<'a> ImageRecord<'a> {
    fn from_image(image: &'a Image) -> Self {
        let Image { visibility, created, updated, .. } = *image;
        let (owner, details) = (Cow::Borrowed(&image.owner), Cow::Borrowed(&image.details));
        Self { owner, visibility, created, updated, details }
    }
}

#[derive(Serialize, Deserialize)]
struct HeadRecord {
    owner: TenantId,
    visibility: Visibility,
    #[serde(rename = "make")]
    spec: ImageSpec,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    created: Timestamp,
    updated: Timestamp,
}

impl HeadRecord {
    fn from_image(image: &Image) -> Self {
        let ImageHead { owner, visibility, spec, name, created, updated, .. } = image.head(0);
        // Only list entries need the name, and the head should stay small.
        let name = name.map(|name| name_prefix(&name).to_owned());
        Self { owner, visibility, spec, name, created, updated }
    }
}

pub fn put_listing(image: &Image) -> Write {
    let entry = list_entry_attributes(&List::Open(image.visibility), &image.into());
    Write::put(item::item(keys::listing(&image.id), entry))
}

pub fn delete_listing(image: &ImageId) -> Write {
    Write::delete(keys::listing(image))
}

pub fn image_item(image: &Image) -> Result<Item, StoreError> {
    let attributes =
        [(RECORD, item::json(&ImageRecord::from_image(image))?), (item::REV, item::text(image.revision))];
    let entry = list_entry_attributes(&List::Owned(image.owner.clone()), &image.into());
    Ok(item::item(keys::image(&image.id), attributes.into_iter().chain(entry)))
}

pub fn head_item(image: &Image) -> Result<Item, StoreError> {
    let attributes = [
        (HEAD, item::json(&HeadRecord::from_image(image))?),
        (MEMBERS, item::number(0)),
        (MEMBER_REV, item::number(0)),
        (item::REV, item::text(image.revision)),
    ];
    Ok(item::item(keys::head(&image.id), attributes))
}

/// Updates the head of an image, except its members.
pub fn update_head(image: &Image) -> Result<Write, StoreError> {
    let update = Write::update(keys::head(&image.id), "SET head = :head, rev = :next");
    let update = update.value(":head", item::json(&HeadRecord::from_image(image))?);
    Ok(update.value(":next", item::text(image.revision)))
}

/// Changes the member count of an image, and its member revision.
pub fn count_members(image: &ImageId, delta: i32) -> Write {
    Write::update(keys::head(image), "ADD members :delta, member_rev :one")
        .value(":delta", item::number(delta))
        .value(":one", item::number(1))
}

/// Makes the head of an image a tombstone. Only the key is kept, for ever, so that the id is not used again.
pub fn tombstone_head(image: &ImageId) -> Write {
    Write::update(keys::head(image), "REMOVE head, rev, members, member_rev")
}

pub fn parse_image_id(item: &Item) -> Result<ImageId, StoreError> {
    keys::parse_image_partition(item::get_text(item, keys::PK)?).ok_or(StoreError::Unreadable(keys::PK))
}

/// Parses an image from its record; `None` for another kind of item.
pub fn parse(item: &Item) -> Result<Option<Image>, StoreError> {
    if !item.contains_key(RECORD) {
        return Ok(None);
    }
    let record: ImageRecord<'_> = item::get_json(item, RECORD)?;
    Ok(Some(Image {
        id: parse_image_id(item)?,
        owner: record.owner.into_owned(),
        visibility: record.visibility,
        details: record.details.into_owned(),
        created: record.created,
        updated: record.updated,
        revision: item::get_parsed(item, item::REV)?,
    }))
}

/// Parses the head of an image; `None` for a tombstone, and for another kind of item.
pub fn parse_head(item: &Item) -> Result<Option<ImageHead>, StoreError> {
    if !item.contains_key(HEAD) {
        return Ok(None);
    }
    let HeadRecord { owner, visibility, spec, name, created, updated } = item::get_json(item, HEAD)?;
    let (member_count, revision) = (item::get_number(item, MEMBERS)?, item::get_parsed(item, item::REV)?);
    Ok(Some(ImageHead {
        id: parse_image_id(item)?,
        owner,
        visibility,
        spec,
        name,
        created,
        updated,
        member_count,
        revision,
    }))
}
