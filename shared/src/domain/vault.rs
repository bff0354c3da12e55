//! Vaults, where the backups of an accepted full-ECS image go (seed 001, `contract/decisions.md` 15).
//!
//! A vault has a capacity, part of which is reserved. Each membership stores the vault and the size of its
//! reservation, so that exactly that capacity is released, even if the image has changed since.

use serde::{Deserialize, Serialize};

use super::value_enum::value_enum;
use super::{Outcome, Stamp, TenantId, VaultId};

/// A vault, by its owner and its id: two tenants may have vaults with the same id.
pub type VaultKey = (TenantId, VaultId);

/// The largest capacity, in GiB, that Cloud Backup and Recovery offers.
pub const MAX_VAULT_GIB: u32 = 10_485_760;

/// The protection type of a vault, in the terms of Cloud Backup and Recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Backups, including those of whole servers. Only such a vault takes a full-ECS image.
    Backup,
    /// Copies of backups from another region.
    Replication,
    /// Backups of machines outside the cloud.
    Hybrid,
}

/// The status of a vault, in the terms of Cloud Backup and Recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VaultStatus {
    /// It can be used.
    Available,
    /// An operation on it is in progress.
    Lock,
    /// It is suspended, since its owner has not paid.
    Frozen,
    /// It is being deleted.
    Deleting,
    /// It has failed.
    Error,
}

value_enum!(Protection { Backup = "backup", Replication = "replication" or Hybrid = "hybrid" });

value_enum!(VaultStatus {
    Available = "available", Lock = "lock", Frozen = "frozen", Deleting = "deleting" or Error = "error"
});

/// The properties of a vault that its owner sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultDetails {
    /// Its protection type.
    pub protection: Protection,
    /// Its status. Only an available vault can be used.
    pub status: VaultStatus,
    /// Its capacity in GiB.
    pub capacity_gib: u32,
}

/// A vault and its reserved capacity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// The properties that its owner sets.
    pub details: VaultDetails,
    /// The capacity reserved for accepted images, in GiB; never more than the vault's capacity.
    pub reserved_gib: u64,
    /// When its details were last written. A reservation is written only if they have not changed since they were
    /// read.
    pub revision: Stamp,
}

/// The capacity of a recipient's vault that is reserved for one membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The vault, one of the recipient's.
    pub vault: VaultId,
    /// The reserved capacity in GiB.
    pub gib: u64,
}

impl Vault {
    /// Checks that `gib` more can be reserved. `delta_gib` is the change of the reserved capacity that the same plan
    /// makes already.
    ///
    /// # Errors
    /// The outcome of an acceptance into this vault, by the first check that fails: [`Outcome::NotABackupVault`],
    /// [`Outcome::VaultUnavailable`], [`Outcome::VaultFull`].
    pub fn check_capacity(&self, gib: u64, delta_gib: i64) -> Result<(), Outcome> {
        if self.details.protection != Protection::Backup {
            return Err(Outcome::NotABackupVault);
        }
        if self.details.status != VaultStatus::Available {
            return Err(Outcome::VaultUnavailable);
        }
        let reserved = i128::from(self.reserved_gib) + i128::from(delta_gib) + i128::from(gib);
        if reserved > i128::from(self.details.capacity_gib) { Err(Outcome::VaultFull) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(protection: Protection, status: VaultStatus) -> Vault {
        let details = VaultDetails { protection, status, capacity_gib: 100 };
        Vault { details, reserved_gib: 60, revision: Stamp::now() }
    }

    #[test]
    fn backup_vault_accepts_up_to_its_capacity() {
        let vault = vault(Protection::Backup, VaultStatus::Available);
        assert_eq!(vault.check_capacity(40, 0), Ok(()));
        assert_eq!(vault.check_capacity(41, 0), Err(Outcome::VaultFull));
        assert_eq!(vault.check_capacity(40, 1), Err(Outcome::VaultFull));
        assert_eq!(vault.check_capacity(50, -10), Ok(()));
        assert_eq!(vault.check_capacity(u64::MAX, i64::MAX), Err(Outcome::VaultFull));
    }

    #[test]
    fn unusable_vault_is_rejected() {
        for status in VaultStatus::ALL.into_iter().filter(|status| *status != VaultStatus::Available) {
            assert_eq!(
                vault(Protection::Backup, status).check_capacity(1, 0),
                Err(Outcome::VaultUnavailable)
            );
        }
        for protection in [Protection::Replication, Protection::Hybrid] {
            assert_eq!(
                vault(protection, VaultStatus::Frozen).check_capacity(1, 0),
                Err(Outcome::NotABackupVault)
            );
        }
    }

    #[test]
    fn protection_and_vault_status_round_trip() {
        assert!(Protection::ALL.into_iter().all(|value| value.to_string().parse() == Ok(value)));
        assert!(VaultStatus::ALL.into_iter().all(|value| value.to_string().parse() == Ok(value)));
        assert!("Backup".parse::<Protection>().is_err() && "".parse::<VaultStatus>().is_err());
    }
}
