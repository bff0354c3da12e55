//! The item of a membership.

use crate::domain::{ImageId, MemberView, Membership, Status, TenantId, Timestamp};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, PK, SK};

/// The attribute that holds the whole membership as JSON.
pub const MEMBERSHIP: &str = "membership";

/// The attribute that marks an active membership, whether or not it has list entries: filters test it.
pub const ACTIVE: &str = "stands";

/// The attribute that holds when the membership was last changed.
pub const UPDATED: &str = "updated";

/// The filter for active memberships.
pub const IS_ACTIVE: &str = "attribute_exists(stands)";

/// The filter for active memberships, and for the head of their image, which has the member revision.
pub const IS_ACTIVE_OR_HEAD: &str = "attribute_exists(stands) OR attribute_exists(member_rev)";

/// Parses the status of a membership; `None` if it has ended.
pub fn parse_status(item: &Item) -> Result<Option<Status>, StoreError> {
    Ok(item::get_json::<Membership>(item, MEMBERSHIP)?.status())
}

/// A membership, with its update time and revision.
pub struct StoredMembership {
    pub image: ImageId,
    pub tenant: TenantId,
    pub membership: Membership,
    pub updated: Timestamp,
    pub revision: u64,
}

impl StoredMembership {
    /// Returns the view of the membership; `None` if it has ended.
    pub fn into_member(self) -> Option<MemberView> {
        let active = self.membership.active()?;
        Some(MemberView::new(self.image, self.tenant, active, self.updated))
    }
}

/// Parses a membership of `image` from the attributes that a list of members reads; `None` if it has ended.
pub fn parse_member(image: &ImageId, item: &Item) -> Result<Option<MemberView>, StoreError> {
    let tenant =
        keys::parse_membership_sort_key(item::get_text(item, SK)?).ok_or(StoreError::Unreadable(SK))?;
    let membership: Membership = item::get_json(item, MEMBERSHIP)?;
    let updated = Timestamp::from_unix_millis(item::get_number(item, UPDATED)?);
    Ok(membership.active().map(|active| MemberView::new(image.clone(), tenant, active, updated)))
}

/// Parses a membership; `None` for another kind of item.
pub fn parse(item: &Item) -> Result<Option<StoredMembership>, StoreError> {
    let Some(tenant) = keys::parse_membership_sort_key(item::get_text(item, SK)?) else { return Ok(None) };
    let image = keys::parse_image_partition(item::get_text(item, PK)?).ok_or(StoreError::Unreadable(PK))?;
    Ok(Some(StoredMembership {
        image,
        tenant,
        membership: item::get_json(item, MEMBERSHIP)?,
        updated: Timestamp::from_unix_millis(item::get_number(item, UPDATED)?),
        revision: item::get_parsed(item, item::REV)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::image::MEMBER_REV;
    use super::*;

    #[test]
    fn filters_name_the_attributes() {
        assert_eq!(IS_ACTIVE, format!("attribute_exists({ACTIVE})"));
        assert_eq!(IS_ACTIVE_OR_HEAD, format!("{IS_ACTIVE} OR attribute_exists({MEMBER_REV})"));
    }
}
