//! A membership, as the APIs show it.

use super::{AcceptedBy, Active, ImageId, Status, TenantId, Timestamp, VaultId};

/// An active membership, as its owner or recipient sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The image.
    pub image: ImageId,
    /// The tenant that it is shared with.
    pub tenant: TenantId,
    /// The membership's status.
    pub status: Status,
    /// The recipient's policy by which it is accepted. Only the recipient sees it.
    pub accepted_by: Option<AcceptedBy>,
    /// When the recipient made the decision in force; `None` if it has made none.
    pub decided: Option<Timestamp>,
    /// The vault in which capacity is reserved for it. Only the recipient sees it.
    pub vault: Option<VaultId>,
    /// When the membership began.
    pub created: Timestamp,
    /// When the membership last changed.
    pub updated: Timestamp,
}

impl MemberView {
    /// The view of an active membership that was last written at `written`.
    pub fn new(image: ImageId, tenant: TenantId, active: &Active, written: Timestamp) -> Self {
        // A stamp may be a little ahead of the time at which it was issued.
        let created = active.since.time().min(written);
        Self {
            image,
            tenant,
            status: active.status(),
            accepted_by: active.accepted_by(),
            decided: active.effective_decision().map(|decision| decision.at.time().min(written)),
            vault: active.reservation.as_ref().map(|reservation| reservation.vault.clone()),
            created,
            updated: written,
        }
    }
}
