//! What a query selects, and the page that it returns.

use std::collections::BTreeSet;

use super::position::MembershipPosition;
use crate::domain::{Audience, ImageHead, ImageId, MemberView, Status, TenantId};
use crate::usecases::Page;

/// The images and memberships after which a request reads no further ones.
pub(super) const MAX_READS: usize = 2_000;

/// Which memberships a query returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipQuery {
    /// The project whose memberships they are.
    pub project: TenantId,
    /// Whether the project owns the images, or has received them.
    pub side: Audience,
    /// Only those of these images.
    pub images: Option<BTreeSet<ImageId>>,
    /// Only those with these tenants on the other side: the recipients, or the owners.
    pub counterparts: Option<BTreeSet<TenantId>>,
    /// Only those with one of these statuses.
    pub statuses: BTreeSet<Status>,
}

/// A membership, with its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipRow {
    /// The image.
    pub image: ImageHead,
    /// The membership.
    pub member: MemberView,
}

/// A page of memberships.
pub type MembershipPage = Page<MembershipRow, MembershipPosition>;
