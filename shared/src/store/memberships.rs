//! Memberships: read for a step or a view. They are written by a step of a job (`jobs.rs`) or at once (`permissions.rs`),
//! always together with the image's count of them.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use aws_sdk_dynamodb::types::{ReturnConsumedCapacity, TransactWriteItem};

use super::call::failure;
use super::images::{self, position_of, write_put};
use super::item::{self, Item};
use super::keys::{self, GPK, GSK, List, MEMBERSHIPS, PK, SK, TTL};
use super::meter::Capacity;
use super::{Store, StoreError};
use crate::domain::{Change, Image, ImageId, Job, Known, Member, Membership, TenantId, Timestamp};

/// How long it is remembered that a membership has ended: longer than any earlier request can still be under way.
const ENDED_IS_KEPT: Duration = Duration::from_hours(48);

/// What a step was decided from, and the revisions that must still be so when it is written.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) known: Known,
    revisions: HashMap<(ImageId, TenantId), u64>,
}

impl Store {
    /// Reads the images and memberships of some pairs of a job, in one round trip.
    pub(crate) async fn snapshot(&self, job: &Job, pairs: Range<usize>) -> Result<Snapshot, StoreError> {
        self.snapshot_of(&pairs.filter_map(|number| job.pair(number)).collect::<Vec<_>>()).await
    }

    /// Reads the images and memberships of some pairs; one round trip for each hundred.
    pub(crate) async fn snapshot_of(&self, pairs: &[(&ImageId, &TenantId)]) -> Result<Snapshot, StoreError> {
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
                members.extend(parse(item)?.and_then(Read::into_member));
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
        let (status, created) = (standing.status, standing.since.time());
        let updated = self.updated.max(created);
        Some(Member { image: self.image, tenant: self.tenant, status, created, updated })
    }
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
