//! Memberships: read for a change or a view, and written together with the image's count of them: by a step of a job
//! (`jobs.rs`), or at once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::images::{self, position_of};
use super::item::{self, Item};
use super::keys::{self, GPK, GSK, List, MEMBERSHIPS, PK, SK, TTL};
use super::{Store, StoreError, Written};
use crate::domain::{
    Change, Decision, Image, ImageId, Known, Limits, Member, Membership, Status, TenantId, Timestamp,
};
use crate::table::{Attributes, Query, Write};

/// How long it is remembered that a membership has ended: longer than any earlier request can still be under way.
const ENDED_IS_KEPT: Duration = Duration::from_hours(48);

/// The attribute of an image that grows with each member that comes or goes, so that a deletion can tell.
pub(super) const MEMBER_REV: &str = "member_rev";

/// The tenants that an image is shared with, and at which revision of its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipients {
    /// The tenants, in the order of their ids.
    pub tenants: Vec<TenantId>,
    pub(super) revision: u64,
}

/// What a step was decided from, and the revisions that must still be so when it is written.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) known: Known,
    revisions: HashMap<(ImageId, TenantId), u64>,
}

impl Store {
    /// Reads the images and memberships of some pairs, in one round trip.
    pub(crate) async fn snapshot<'a>(
        &self,
        pairs: impl IntoIterator<Item = (&'a ImageId, &'a TenantId)>,
    ) -> Result<Snapshot, StoreError> {
        let pairs: Vec<_> = pairs.into_iter().collect();
        let images: HashSet<_> = pairs.iter().map(|(image, _)| *image).collect();
        let keys = images.into_iter().map(keys::image);
        let keys = keys.chain(pairs.iter().map(|(image, tenant)| keys::membership(image, tenant)));
        let mut snapshot = Snapshot::default();
        for item in self.read(keys.collect()).await? {
            if let Some(read) = parse(&item)? {
                let pair = (read.image, read.tenant);
                snapshot.revisions.insert(pair.clone(), read.revision);
                snapshot.known.memberships.insert(pair, read.membership);
            } else if let Some(image) = images::parse(&item)? {
                snapshot.known.images.insert(image.id.clone(), image);
            }
        }
        Ok(snapshot)
    }

    /// Writes what was decided outside of any job, in one transaction, or in one plain write where no count changes;
    /// provided that everything that it was decided from is still so.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn make_change(
        &self,
        decision: &Decision,
        read: &Snapshot,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        self.written(&decided(decision, read, limits, now)?).await
    }

    /// Reads an image and one tenant's membership of it, in one round trip.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn image_and_member(
        &self,
        image: &ImageId,
        tenant: &TenantId,
    ) -> Result<(Option<Image>, Option<Member>), StoreError> {
        let (mut found_image, mut found_member) = (None, None);
        for item in self.read(vec![keys::image(image), keys::membership(image, tenant)]).await? {
            match parse(&item)? {
                Some(read) => found_member = read.into_member(),
                None => found_image = images::parse(&item)?,
            }
        }
        Ok((found_image, found_member))
    }

    /// Reads some images, each with what one tenant has said to it, if it is shared with that one; a missing or deleted
    /// image is missing.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn images_and_answers(
        &self,
        ids: &[ImageId],
        tenant: &TenantId,
    ) -> Result<Vec<(Image, Option<Status>)>, StoreError> {
        let read = self.snapshot(ids.iter().map(|id| (id, tenant))).await?;
        let Known { images, memberships } = read.known;
        let answer = |id: ImageId| Some(memberships.get(&(id, tenant.clone()))?.standing()?.status);
        Ok(images.into_iter().map(|(id, image)| (image, answer(id))).collect())
    }

    /// Every tenant that an image is shared with.
    ///
    /// The revision is read first: whoever comes or goes while the rest is read makes it an old one.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub async fn recipients(&self, image: &ImageId) -> Result<Recipients, StoreError> {
        let query = Query::new("pk = :image").value(":image", item::text(keys::image_partition(image)));
        let mut query = Query {
            filter: Some("attribute_exists(gpk)"),
            attributes: Attributes::These(&[SK, MEMBER_REV]),
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
                recipients.tenants.extend(keys::tenant_of_membership(item::get_text(found, SK)?));
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
    /// [`StoreError`] where the table failed.
    pub async fn members(
        &self,
        image: &ImageId,
        after: Option<&TenantId>,
        most: usize,
    ) -> Result<(Vec<Member>, bool), StoreError> {
        let query = Query::new("pk = :image AND begins_with(sk, :memberships)")
            .value(":image", item::text(keys::image_partition(image)))
            .value(":memberships", item::text(MEMBERSHIPS));
        let mut query = Query {
            filter: Some("attribute_exists(gpk)"),
            attributes: Attributes::These(&[SK, "membership", "updated"]),
            consistent: true,
            start: after.map(|tenant| keys::membership(image, tenant)),
            ..query
        };
        let mut members = Vec::new();
        loop {
            // One more than wanted, to know whether there are more; ended memberships may make it several calls.
            query.most = Some(most + 1 - members.len());
            let page = self.query(&query).await?;
            for item in &page.items {
                members.extend(parse_member(image, item)?);
            }
            query.start = page.next;
            if members.len() > most || query.start.is_none() {
                let more = members.len() > most;
                members.truncate(most);
                return Ok((members, more));
            }
        }
    }
}

/// The writes that a decision makes: the memberships that change, and the counts of their images.
pub(super) fn decided(
    decision: &Decision,
    read: &Snapshot,
    limits: &Limits,
    now: Timestamp,
) -> Result<Vec<Write>, StoreError> {
    let memberships = decision.changes.iter().map(|change| write_membership(change, read, now));
    let counts = decision.growth.iter().map(|(image, growth)| Ok(count_members(image, *growth, limits)));
    memberships.chain(counts).collect()
}

/// Counts members that come or go.
pub(super) const COUNT: &str = "ADD members :growth, member_rev :one";

/// Counts members of an image that come or go; none may come to an image that is full, hidden or gone by now.
fn count_members(image: &ImageId, growth: i32, limits: &Limits) -> Write {
    let count = Write::update(keys::image(image), COUNT)
        .value(":growth", item::number(growth))
        .value(":one", item::number(1));
    if growth < 0 {
        return count.only_if("attribute_exists(pk)");
    }
    let room = i128::from(limits.members_per_image) - i128::from(growth);
    count
        .only_if("attribute_exists(image) AND visibility = :shared AND members <= :room")
        .value(":shared", item::text("shared"))
        .value(":room", item::number(room))
}

/// Writes a membership onto the revision that it was read at.
pub(super) fn write_membership(
    change: &Change,
    read: &Snapshot,
    now: Timestamp,
) -> Result<Write, StoreError> {
    let revision = read.revisions.get(&(change.image.clone(), change.tenant.clone()));
    let mut attributes = vec![
        ("membership", item::json(&change.becomes)?),
        ("updated", item::number(now.unix_millis())),
        ("rev", item::text(revision.copied().unwrap_or_default() + 1)),
    ];
    match (&change.becomes, read.known.images.get(&change.image)) {
        (Membership::Standing(standing), Some(image)) => {
            let list = List::Received(change.tenant.clone(), standing.status);
            attributes.extend([(GPK, item::text(list)), (GSK, item::text(position_of(image)))]);
        }
        (Membership::Standing(_), None) => {}
        (Membership::Ended(_), _) => {
            let until = now.plus(ENDED_IS_KEPT).unix_seconds();
            attributes.push((TTL, item::number(until)));
        }
    }
    let put = Write::put(item::item(keys::membership(&change.image, &change.tenant), attributes));
    Ok(match revision {
        None => put.only_if("attribute_not_exists(pk)"),
        Some(revision) => put.only_if("rev = :read").value(":read", item::text(revision)),
    })
}

struct Read {
    image: ImageId,
    tenant: TenantId,
    membership: Membership,
    updated: Timestamp,
    revision: u64,
}

impl Read {
    fn into_member(self) -> Option<Member> {
        let standing = self.membership.standing()?;
        Some(Member::new(self.image, self.tenant, standing, self.updated))
    }
}

/// Reads a member of that image from the attributes that a list of members reads; `None` where the membership has ended.
fn parse_member(image: &ImageId, item: &Item) -> Result<Option<Member>, StoreError> {
    let tenant = keys::tenant_of_membership(item::get_text(item, SK)?).ok_or(StoreError::Unreadable(SK))?;
    let membership: Membership = item::get_json(item, "membership")?;
    let updated = Timestamp::from_unix_millis(item::get_number(item, "updated")?);
    Ok(membership.standing().map(|standing| Member::new(image.clone(), tenant, standing, updated)))
}

/// Reads a membership; `None` for an item of another kind.
fn parse(item: &Item) -> Result<Option<Read>, StoreError> {
    let Some(tenant) = keys::tenant_of_membership(item::get_text(item, SK)?) else { return Ok(None) };
    let image = keys::image_of_partition(item::get_text(item, PK)?).ok_or(StoreError::Unreadable(PK))?;
    Ok(Some(Read {
        image,
        tenant,
        membership: item::get_json(item, "membership")?,
        updated: Timestamp::from_unix_millis(item::get_number(item, "updated")?),
        revision: item::get_parsed(item, "rev")?,
    }))
}
