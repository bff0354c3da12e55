//! A membership as it is shown.

use super::{Active, ImageId, Status, TenantId, Timestamp};

/// What a recipient or an owner is shown of a membership that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The image.
    pub image: ImageId,
    /// With whom it is shared.
    pub tenant: TenantId,
    /// What the tenant has said.
    pub status: Status,
    /// When the sharing began.
    pub created: Timestamp,
    /// When the membership last changed.
    pub updated: Timestamp,
}

impl MemberView {
    /// A membership that stands and was last written at that moment.
    pub fn new(image: ImageId, tenant: TenantId, active: &Active, written: Timestamp) -> Self {
        // A stamp may be a little ahead of the moment at which it was issued.
        let created = active.since.time().min(written);
        Self { image, tenant, status: active.status(), created, updated: written }
    }
}
