//! Changes of one image's memberships that take effect at once, without a job: all of them, with the image's count of
//! them, or none.

use super::call::NotWritten;
use super::item;
use super::keys;
use super::memberships::{COUNT, Snapshot, write_membership};
use super::{Store, StoreError, Written};
use crate::domain::{Change, Image, Limits, Timestamp};
use crate::table::Write;

impl Store {
    /// Writes changes of an image's memberships, which grow by `growth`, in one transaction; provided that neither they
    /// nor what the owner says of the image has changed since both were read, and that the limit is kept.
    ///
    /// # Errors
    /// [`StoreError`] where the table failed.
    pub(crate) async fn change_members(
        &self,
        image: &Image,
        (changes, growth): (&[Change], i32),
        read: &Snapshot,
        limits: &Limits,
    ) -> Result<Written, StoreError> {
        if changes.is_empty() {
            return Ok(Written::Yes);
        }
        let now = Timestamp::now();
        let mut condition = "attribute_exists(image) AND rev = :read".to_owned();
        let mut count = Write::update(keys::image(&image.id), COUNT)
            .value(":growth", item::number(growth))
            .value(":one", item::number(1))
            .value(":read", item::text(image.revision));
        if growth > 0 {
            let room = i128::from(limits.members_per_image) - i128::from(growth);
            condition += " AND members <= :room";
            count = count.value(":room", item::number(room));
        }
        let mut writes = vec![count.only_if(condition)];
        for change in changes {
            writes.push(write_membership(change, read, now)?);
        }
        match self.transact(&writes).await {
            Ok(()) => Ok(Written::Yes),
            Err(NotWritten::Conditions(_)) => Ok(Written::Stale),
            Err(NotWritten::Store(error)) => Err(error),
        }
    }
}
