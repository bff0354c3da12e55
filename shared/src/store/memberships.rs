//! Memberships: read for a change or a view, and written together with the image's count of them: by a step of a job
//! (`jobs.rs`), or at once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, TransactWriteItem};

use super::call::failure;
use super::images::{self, position_of, write_put, write_update};
use super::item::{self, Item};
use super::keys::{self, GPK, GSK, List, MEMBERSHIPS, PK, SK, TTL};
use super::meter::Capacity;
use super::{Store, StoreError, Written};
use crate::domain::{
    Change, Decision, Image, ImageId, Known, Limits, Member, Membership, Status, TenantId, Timestamp,
};

/// How long it is remembered that a membership has ended: longer than any earlier request can still be under way.
const ENDED_IS_KEPT: Duration = Duration::from_hours(48);

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
        self.written(self.decided(decision, read, limits, now)?).await
    }

    /// The writes that a decision makes: the memberships that change, and the counts of their images.
    pub(super) fn decided(
        &self,
        decision: &Decision,
        read: &Snapshot,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let mut items = Vec::with_capacity(decision.changes.len() + decision.growth.len() + 1);
        for change in &decision.changes {
            items.push(self.write_membership(change, read, now)?);
        }
        for (image, growth) in &decision.growth {
            items.push(self.count_members(image, *growth, limits)?);
        }
        Ok(items)
    }

    /// Counts members of an image that come or go; none may come to an image that is full, hidden or gone by now.
    fn count_members(
        &self,
        image: &ImageId,
        growth: i32,
        limits: &Limits,
    ) -> Result<TransactWriteItem, StoreError> {
        let count = self
            .update(keys::image(image))
            .update_expression("ADD members :growth")
            .expression_attribute_values(":growth", item::number(growth));
        write_update(if growth < 0 {
            count.condition_expression("attribute_exists(pk)")
        } else {
            let room = i128::from(limits.members_per_image) - i128::from(growth);
            count
                .condition_expression("lifecycle = :active AND visibility = :shared AND members <= :room")
                .expression_attribute_values(":active", item::text("active"))
                .expression_attribute_values(":shared", item::text("shared"))
                .expression_attribute_values(":room", item::number(room))
        })
    }

    /// Writes a membership onto the revision that it was read at.
    pub(super) fn write_membership(
        &self,
        change: &Change,
        read: &Snapshot,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let revision = read.revisions.get(&(change.image.clone(), change.tenant.clone()));
        let mut attributes = Item::from([
            ("membership".to_owned(), item::json(&change.becomes)?),
            ("updated".to_owned(), item::number(now.unix_millis())),
            ("rev".to_owned(), item::number(revision.copied().unwrap_or_default() + 1)),
        ]);
        match (&change.becomes, read.known.images.get(&change.image)) {
            (Membership::Standing(standing), Some(image)) => {
                let list = List::Received(change.tenant.clone(), standing.status);
                attributes.insert(GPK.to_owned(), item::text(list));
                attributes.insert(GSK.to_owned(), item::text(position_of(image)));
            }
            (Membership::Standing(_), None) => {}
            (Membership::Ended(_), _) => {
                let until = now.plus(ENDED_IS_KEPT).unix_seconds();
                attributes.insert(TTL.to_owned(), item::number(until));
            }
        }
        let put = self.put(keys::membership(&change.image, &change.tenant), attributes);
        write_put(match revision {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(revision) => put
                .condition_expression("rev = :read")
                .expression_attribute_values(":read", item::number(*revision)),
        })
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
        let mut members = Vec::new();
        let mut start = after.map(|tenant| keys::membership(image, tenant));
        loop {
            self.meter.count_round_trip();
            // One more than wanted, to know whether there are more; ended memberships may make it several calls.
            let limit = i32::try_from(most + 1 - members.len()).unwrap_or(i32::MAX);
            let answer = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :image AND begins_with(sk, :memberships)")
                .filter_expression("attribute_exists(gpk)")
                .projection_expression("sk, membership, updated")
                .expression_attribute_values(":image", item::text(keys::image_partition(image)))
                .expression_attribute_values(":memberships", item::text(MEMBERSHIPS))
                .consistent_read(true)
                .limit(limit)
                .set_exclusive_start_key(start)
                .return_consumed_capacity(ReturnConsumedCapacity::Total)
                .send()
                .await
                .map_err(|error| failure(&error))?;
            self.meter.count(Capacity::Read, answer.consumed_capacity());
            for item in answer.items() {
                members.extend(parse_member(image, item)?);
            }
            start = answer.last_evaluated_key;
            if members.len() > most || start.is_none() {
                let more = members.len() > most;
                members.truncate(most);
                return Ok((members, more));
            }
        }
    }
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
        revision: item::get_number(item, "rev")?,
    }))
}
