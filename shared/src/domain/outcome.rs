//! What became of a pair of a job.

/// What became of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is as the job wanted it.
    Done,
    /// The image was deleted in the meantime.
    ImageDeleted,
    /// The image's visibility is not `shared` any more.
    NotShareable,
    /// The image has as many recipients as it may have.
    MemberLimit,
    /// The image is not shared with the tenant that answered.
    NotAMember,
    /// The image is encrypted by the service's own key, which can be granted to nobody.
    DefaultKey,
    /// The owner has not granted the tenant the image's key.
    KeyNotGranted,
    /// The image is of a whole server and was not made from a backup.
    NotFromBackup,
    /// The directory has no such tenant, and is complete.
    UnknownTenant,
    /// The tenant is of another region.
    OtherRegion,
    /// As many images wait for the tenant's answer as may.
    PendingLimit,
    /// As many images of the owner wait for the tenant's answer as may.
    OwnerPendingLimit,
    /// A later request wants it otherwise, and has won (`contract/decisions.md` 26).
    Superseded,
    /// No vault was named for a full-ECS image, or the tenant has none of that id.
    NoVault,
    /// The vault is not for backups.
    NotABackupVault,
    /// The vault cannot be used now.
    VaultUnavailable,
    /// The vault has not enough room.
    VaultFull,
    /// It could not be done in many attempts.
    RetriesExhausted,
}

impl Outcome {
    const BYTE_CODES: [(Self, u8); 18] = [
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
        (Self::Superseded, b's'),
        (Self::NoVault, b'n'),
        (Self::NotABackupVault, b'o'),
        (Self::VaultUnavailable, b'u'),
        (Self::VaultFull, b'f'),
        (Self::RetriesExhausted, b'g'),
    ];

    /// Whether the pair has failed. One that was overtaken has not: a later request has decided on it.
    pub fn is_failure(self) -> bool {
        !matches!(self, Self::Done | Self::Superseded)
    }

    /// The outcome as one byte in the table.
    pub fn to_byte(self) -> u8 {
        Self::BYTE_CODES.iter().find(|(outcome, _)| *outcome == self).map_or(b'?', |(_, byte)| *byte)
    }

    /// The outcome that was written as that byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::BYTE_CODES.iter().find(|(_, known)| *known == byte).map(|(outcome, _)| *outcome)
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
