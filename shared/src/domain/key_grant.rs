//! The owner's permission for a tenant to use the key of an encrypted image (seed 003).

use super::{KeyId, TenantId};

/// A key that its owner lets a tenant use. Without it, no image under that key can be shared with the tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGrant {
    /// Whose key it is. Two tenants may have keys of the same id; a grant is of one of them.
    pub owner: TenantId,
    /// The key.
    pub key: KeyId,
    /// Who may use it.
    pub tenant: TenantId,
}
