//! The outcome of a pair of a job.

/// What became of a pair. The table stores it as one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The pair is as the request wants it.
    Done,
    /// The image has been deleted.
    ImageDeleted,
    /// The image's visibility is not `shared`.
    NotShareable,
    /// The image has reached its recipient limit.
    MemberLimit,
    /// The image is not shared with the tenant that decides, or its owner hides it.
    NotAMember,
    /// The image is encrypted under the service's default key, which cannot be granted.
    DefaultKey,
    /// The owner has not granted the tenant the image's key.
    KeyNotGranted,
    /// The full-ECS image was not made from a backup, or gives no size of its backups.
    NotFromBackup,
    /// The directory is complete, and the tenant is not in it.
    UnknownTenant,
    /// The tenant is in another region.
    OtherRegion,
    /// The tenant has reached its limit of pending images.
    PendingLimit,
    /// The tenant has reached its limit of pending images of this owner.
    OwnerPendingLimit,
    /// The tenant blocks the image's owner (`contract/decisions.md` 34).
    OwnerBlocked,
    /// A later request has decided otherwise, and wins (`contract/decisions.md` 26).
    Superseded,
    /// The request names no vault for a full-ECS image, or the tenant has none with that id.
    NoVault,
    /// The vault is not for backups.
    NotABackupVault,
    /// The vault is not available.
    VaultUnavailable,
    /// The vault has too little free capacity.
    VaultFull,
    /// Every attempt to execute the request has failed.
    RetriesExhausted,
}

impl Outcome {
    const BYTE_CODES: [(Self, u8); 19] = [
        (Self::Done, b'.'),
        (Self::ImageDeleted, b'i'),
        (Self::NotShareable, b'v'),
        (Self::MemberLimit, b'l'),
        (Self::NotAMember, b'm'),
        (Self::DefaultKey, b'd'),
        (Self::KeyNotGranted, b'k'),
        (Self::NotFromBackup, b'b'),
        (Self::UnknownTenant, b't'),
        (Self::OtherRegion, b'r'),
        (Self::PendingLimit, b'p'),
        (Self::OwnerPendingLimit, b'q'),
        (Self::OwnerBlocked, b'j'),
        (Self::Superseded, b's'),
        (Self::NoVault, b'n'),
        (Self::NotABackupVault, b'o'),
        (Self::VaultUnavailable, b'u'),
        (Self::VaultFull, b'f'),
        (Self::RetriesExhausted, b'g'),
    ];

    /// Whether the pair has failed. A superseded one has not: a later request has decided on it.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Done | Self::Superseded)
    }

    /// The byte that stores the outcome in a work item.
    pub fn to_byte(self) -> u8 {
        Self::BYTE_CODES.iter().find(|(outcome, _)| *outcome == self).map_or(b'?', |(_, byte)| *byte)
    }

    /// The outcome that is stored as that byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::BYTE_CODES.iter().find(|(_, code)| *code == byte).map(|(outcome, _)| *outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcome_byte_round_trips() {
        for (outcome, byte) in Outcome::BYTE_CODES {
            assert_eq!((outcome.to_byte(), Outcome::from_byte(byte)), (byte, Some(outcome)));
        }
        assert_eq!(Outcome::from_byte(b'x'), None);
    }
}
