//! The item of a membership.

use crate::domain::{ImageId, MemberView, Membership, Status, TenantId, Timestamp};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, PK, SK};

/// The attribute of a membership that says all of it.
pub const MEMBERSHIP: &str = "membership";

/// The attribute of a membership that stands, whether or not any list shows it.
pub const ACTIVE: &str = "stands";

/// What the tenant of a membership has answered; `None` where it has ended.
pub fn parse_status(item: &Item) -> Result<Option<Status>, StoreError> {
    Ok(item::get_json::<Membership>(item, MEMBERSHIP)?.status())
}

/// A membership as it was read.
pub struct StoredMembership {
    pub image: ImageId,
    pub tenant: TenantId,
    pub membership: Membership,
    pub updated: Timestamp,
    pub revision: u64,
}

impl StoredMembership {
    pub fn into_member(self) -> Option<MemberView> {
        let active = self.membership.active()?;
        Some(MemberView::new(self.image, self.tenant, active, self.updated))
    }
}

/// Reads a member of that image from the attributes that a list of members reads; `None` where the membership has ended.
pub fn parse_member(image: &ImageId, item: &Item) -> Result<Option<MemberView>, StoreError> {
    let tenant =
        keys::parse_membership_sort_key(item::get_text(item, SK)?).ok_or(StoreError::Unreadable(SK))?;
    let membership: Membership = item::get_json(item, MEMBERSHIP)?;
    let updated = Timestamp::from_unix_millis(item::get_number(item, "updated")?);
    Ok(membership.active().map(|standing| MemberView::new(image.clone(), tenant, standing, updated)))
}

/// Reads a membership; `None` for an item of another kind.
pub fn parse(item: &Item) -> Result<Option<StoredMembership>, StoreError> {
    let Some(tenant) = keys::parse_membership_sort_key(item::get_text(item, SK)?) else { return Ok(None) };
    let image = keys::parse_image_partition(item::get_text(item, PK)?).ok_or(StoreError::Unreadable(PK))?;
    Ok(Some(StoredMembership {
        image,
        tenant,
        membership: item::get_json(item, MEMBERSHIP)?,
        updated: Timestamp::from_unix_millis(item::get_number(item, "updated")?),
        revision: item::get_parsed(item, "rev")?,
    }))
}
