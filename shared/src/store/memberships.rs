//! Memberships as they are read: for a view, a list, or the deletion of an image.

use std::collections::HashMap;

use super::client::Store;
use super::error::StoreError;
use super::item;
use super::items::image::{self, MEMBER_REV};
use super::items::membership::{MEMBERSHIP, parse, parse_member, parse_status};
use super::keys::{self, MEMBERSHIP_PREFIX, SK};
use crate::domain::{Image, ImageHead, ImageId, MemberView, Status, TenantId, Unauthorized};
use crate::table::{Projection, Query};

/// The tenants that an image is shared with, and at which revision of its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipients {
    /// The tenants, in the order of their ids.
    pub tenants: Vec<TenantId>,
    pub(super) revision: u64,
}

impl Store {
    /// Reads the status of one tenant's membership of an image; `None` where it is not a member. One read.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn member_status(
        &self,
        image: &ImageId,
        tenant: &TenantId,
    ) -> Result<Option<Status>, StoreError> {
        self.read_one(keys::membership(image, tenant)).await?.as_ref().map_or(Ok(None), parse_status)
    }

    /// Reads an image's head and one tenant's membership of it, in one round trip.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn head_and_member(
        &self,
        image: &ImageId,
        tenant: &TenantId,
    ) -> Result<(Option<Unauthorized<ImageHead>>, Option<MemberView>), StoreError> {
        let (mut head, mut member) = (None, None);
        for item in self.read(vec![keys::head(image), keys::membership(image, tenant)]).await? {
            match parse(&item)? {
                Some(read) => member = read.into_member(),
                None => head = image::parse_head(&item)?,
            }
        }
        Ok((head.map(Unauthorized::new), member))
    }

    /// Reads an image and one tenant's membership of it, in one round trip.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn image_and_member(
        &self,
        image: &ImageId,
        tenant: &TenantId,
    ) -> Result<(Option<Unauthorized<Image>>, Option<MemberView>), StoreError> {
        let (mut found_image, mut found_member) = (None, None);
        for item in self.read(vec![keys::image(image), keys::membership(image, tenant)]).await? {
            match parse(&item)? {
                Some(read) => found_member = read.into_member(),
                None => found_image = image::parse(&item)?,
            }
        }
        Ok((found_image.map(Unauthorized::new), found_member))
    }

    /// Reads some images, each with what one tenant has said to it, if it is shared with that one; a missing or deleted
    /// image is missing.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn images_and_statuses(
        &self,
        ids: &[ImageId],
        tenant: &TenantId,
    ) -> Result<Vec<(Unauthorized<Image>, Option<Status>)>, StoreError> {
        let keys = ids.iter().flat_map(|id| [keys::image(id), keys::membership(id, tenant)]);
        let (mut images, mut statuses) = (Vec::new(), HashMap::new());
        for item in self.read(keys.collect()).await? {
            match parse(&item)? {
                Some(read) => statuses.extend(read.membership.status().map(|status| (read.image, status))),
                None => images.extend(image::parse(&item)?),
            }
        }
        let with_status = |image: Image| {
            let status = statuses.get(&image.id).copied();
            (Unauthorized::new(image), status)
        };
        Ok(images.into_iter().map(with_status).collect())
    }

    /// Every tenant that an image is shared with.
    ///
    /// The revision is read first: whoever comes or goes while the rest is read makes it an old one.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn recipients(&self, image: &ImageId) -> Result<Recipients, StoreError> {
        let query = Query::new("pk = :image").value(":image", item::text(keys::image_partition(image)));
        let mut query = Query {
            filter: Some("attribute_exists(stands) OR attribute_exists(member_rev)"),
            projection: Projection::Only(&[SK, MEMBER_REV]),
            consistent: true,
            ..query
        };
        let mut recipients = Recipients::default();
        loop {
            let page = self.query(&query).await?;
            for found in &page.items {
                if let Some(revision) = item::find_number(found, MEMBER_REV)? {
                    recipients.revision = revision;
                }
                recipients.tenants.extend(keys::parse_membership_sort_key(item::get_text(found, SK)?));
            }
            query.start = page.next;
            if query.start.is_none() {
                return Ok(recipients);
            }
        }
    }

    /// A page of an image's members in the order of their ids: at most `most`, those after `after`; and whether there
    /// are more.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn members(
        &self,
        image: &ImageId,
        after: Option<&TenantId>,
        limit: usize,
    ) -> Result<(Vec<MemberView>, bool), StoreError> {
        let query = Query::new("pk = :image AND begins_with(sk, :memberships)")
            .value(":image", item::text(keys::image_partition(image)))
            .value(":memberships", item::text(MEMBERSHIP_PREFIX));
        let mut query = Query {
            filter: Some("attribute_exists(stands)"),
            projection: Projection::Only(&[SK, MEMBERSHIP, "updated"]),
            consistent: true,
            start: after.map(|tenant| keys::membership(image, tenant)),
            ..query
        };
        let mut members = Vec::new();
        loop {
            // One more than wanted, to know whether there are more; ended memberships may make it several calls.
            query.limit = Some(limit + 1 - members.len());
            let page = self.query(&query).await?;
            for item in &page.items {
                members.extend(parse_member(image, item)?);
            }
            query.start = page.next;
            if members.len() > limit || query.start.is_none() {
                let more = members.len() > limit;
                members.truncate(limit);
                return Ok((members, more));
            }
        }
    }
}
