//! The owner's permission for a tenant to use the key of an encrypted image (seed 003).

use super::{KeyId, TenantId};

/// A tenant's permission to use a key. Without it, no image encrypted under that key can be shared with the tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGrant {
    /// The owner of the key. Two tenants may have keys with the same id, and a grant is for the key of one of them.
    pub owner: TenantId,
    /// The key.
    pub key: KeyId,
    /// The tenant that may use it.
    pub tenant: TenantId,
}
