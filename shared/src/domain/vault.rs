//! Vaults, where the backups of an accepted full-ECS image go (seed 001, `contract/decisions.md` 15).
//!
//! A vault has a capacity and knows how much of it is reserved. Each membership remembers what it has reserved and
//! where, so that exactly that is given back, whatever has become of the image since.

use serde::{Deserialize, Serialize};

use super::value_enum::value_enum;
use super::{Outcome, Stamp, TenantId, VaultId};

/// A vault by its owner and its id: two tenants may have vaults of the same id.
pub type VaultKey = (TenantId, VaultId);

/// The largest vault, in GiB, that Cloud Backup and Recovery offers.
pub const MAX_VAULT_GIB: u32 = 10_485_760;

/// What a vault is for, in the words of Cloud Backup and Recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Backups, among them those of whole servers. Only such a vault takes a full-ECS image.
    Backup,
    /// Copies of backups of another region.
    Replication,
    /// Backups of machines outside of the cloud.
    Hybrid,
}

/// Whether a vault can be used, in the words of Cloud Backup and Recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VaultStatus {
    /// It can.
    Available,
    /// Something is being done to it.
    Lock,
    /// Its owner has not paid.
    Frozen,
    /// It is going away.
    Deleting,
    /// It is broken.
    Error,
}

value_enum!(Protection { Backup = "backup", Replication = "replication" or Hybrid = "hybrid" });

value_enum!(VaultStatus {
    Available = "available", Lock = "lock", Frozen = "frozen", Deleting = "deleting" or Error = "error"
});

/// What its owner says of a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VaultDetails {
    /// What it is for.
    pub protection: Protection,
    /// Whether it can be used.
    pub status: VaultStatus,
    /// How much it holds, in GiB.
    pub capacity_gib: u32,
}

/// A vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// What its owner says of it.
    pub details: VaultDetails,
    /// How much of it is promised to accepted images, in GiB; never more than its capacity.
    pub reserved_gib: u64,
    /// When its details were last written; a reservation is written only onto the details that it was decided from.
    pub revision: Stamp,
}

/// What a membership holds of a vault of its tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The vault.
    pub vault: VaultId,
    /// How much, in GiB.
    pub gib: u64,
}

impl Vault {
    /// Whether so much more can be reserved; `growth_gib` is what is about to be reserved, or given back, besides.
    ///
    /// # Errors
    /// The outcome of an acceptance that cannot be.
    pub fn check_capacity(&self, gib: u64, growth_gib: i64) -> Result<(), Outcome> {
        if self.details.protection != Protection::Backup {
            return Err(Outcome::NotABackupVault);
        }
        if self.details.status != VaultStatus::Available {
            return Err(Outcome::VaultUnavailable);
        }
        let reserved = i128::from(self.reserved_gib) + i128::from(growth_gib) + i128::from(gib);
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
        assert!(Protection::ALL.into_iter().all(|word| word.to_string().parse() == Ok(word)));
        assert!(VaultStatus::ALL.into_iter().all(|word| word.to_string().parse() == Ok(word)));
        assert!("Backup".parse::<Protection>().is_err() && "".parse::<VaultStatus>().is_err());
    }
}
