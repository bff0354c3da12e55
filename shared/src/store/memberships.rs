//! Reads memberships, for views and lists, and recipients, for the update or deletion of an image.

use std::collections::HashMap;

use super::client::Store;
use super::error::StoreError;
use super::item;
use super::items::image::{self, MEMBER_REV};
use super::items::membership::{
    IS_ACTIVE, IS_ACTIVE_OR_HEAD, MEMBERSHIP, StoredMembership, UPDATED, parse, parse_member, parse_status,
};
use super::keys::{self, MEMBERSHIP_PREFIX, SK};
use super::snapshot::Pair;
use crate::domain::{Image, ImageHead, ImageId, MemberView, Status, TenantId, Unauthorized};
use crate::table::{Projection, Query};

/// The recipients of an image, at one revision of its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipients {
    /// The tenants, ordered by id.
    pub tenants: Vec<TenantId>,
    pub(super) revision: u64,
}

impl Store {
    /// Reads the status of a membership; `None` if the image is not shared with the tenant. One read.
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

    /// Reads an image's head and its membership with one tenant; the membership is `None` if it has ended. One batch
    /// read.
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
                Some(membership) => member = membership.into_member(),
                None => head = image::parse_head(&item)?,
            }
        }
        Ok((head.map(Unauthorized::new), member))
    }

    /// Reads an image and its membership with one tenant; the membership is `None` if it has ended. One batch read.
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
                Some(membership) => found_member = membership.into_member(),
                None => found_image = image::parse(&item)?,
            }
        }
        Ok((found_image.map(Unauthorized::new), found_member))
    }

    /// Reads images, each with its status for one tenant if it is shared with that tenant. Leaves out those that are
    /// missing or deleted. One batch read for every 50 images.
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
                Some(stored) => {
                    statuses.extend(stored.membership.status().map(|status| (stored.image, status)));
                }
                None => images.extend(image::parse(&item)?),
            }
        }
        let with_status = |image: Image| {
            let status = statuses.get(&image.id).copied();
            (Unauthorized::new(image), status)
        };
        Ok(images.into_iter().map(with_status).collect())
    }

    /// Reads the heads of images, and leaves out those that are missing or deleted. One batch read for every 100, some
    /// of them at a time.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn heads(
        &self,
        ids: impl IntoIterator<Item = &ImageId>,
    ) -> Result<HashMap<ImageId, Unauthorized<ImageHead>>, StoreError> {
        let keys: Vec<_> = ids.into_iter().map(keys::head).collect();
        let mut heads = HashMap::new();
        for item in &self.read_concurrently(&keys).await? {
            heads.extend(image::parse_head(item)?.map(|head| (head.id.clone(), Unauthorized::new(head))));
        }
        Ok(heads)
    }

    /// Reads the active memberships of pairs, in no order. One batch read for every 100, some of them at a time.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub(crate) async fn members_of_pairs(&self, pairs: &[Pair<'_>]) -> Result<Vec<MemberView>, StoreError> {
        let keys: Vec<_> = pairs.iter().map(|(image, tenant)| keys::membership(image, tenant)).collect();
        let mut members = Vec::new();
        for item in &self.read_concurrently(&keys).await? {
            members.extend(parse(item)?.and_then(StoredMembership::into_member));
        }
        Ok(members)
    }

    /// Reads all recipients of an image. One query for each megabyte of its partition.
    ///
    /// The revision is read first, so that a change of members during the read outdates it, and the commit that
    /// depends on it conflicts.
    ///
    /// # Errors
    /// [`StoreError`] if the table fails.
    pub async fn recipients(&self, image: &ImageId) -> Result<Recipients, StoreError> {
        let query = Query::new("pk = :image").value(":image", item::text(keys::image_partition(image)));
        let mut query = Query {
            filter: Some(IS_ACTIVE_OR_HEAD),
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

    /// Returns the members of an image after `after`, ordered by tenant id, at most `limit`; and whether there are
    /// more. One query, and more only if ended memberships are skipped.
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
            filter: Some(IS_ACTIVE),
            projection: Projection::Only(&[SK, MEMBERSHIP, UPDATED]),
            consistent: true,
            start: after.map(|tenant| keys::membership(image, tenant)),
            ..query
        };
        let mut members = Vec::new();
        loop {
            // One more than the limit, to know whether there are more.
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
