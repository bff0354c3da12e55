//! What a request has changed of the state of a pair.

/// What a request of a job has changed of the state of a pair, as far as an API shows it. A pair that is as requested
/// has one, unless an older function executed it. The table stores it as one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transition {
    /// The membership began.
    Began,
    /// The membership began again, some time after an unshare: for as long as the ended membership is kept.
    BeganAgain,
    /// The membership became accepted: by its recipient, or by a share again with a tenant that trusts the owner by now.
    /// Or its capacity is reserved in another vault.
    Accepted,
    /// The membership became rejected.
    Rejected,
    /// The membership ended.
    Ended,
    /// Nothing: the pair was as requested before.
    Unchanged,
}

impl Transition {
    const BYTE_CODES: [(Self, u8); 6] = [
        (Self::Began, b'b'),
        (Self::BeganAgain, b'c'),
        (Self::Accepted, b'a'),
        (Self::Rejected, b'r'),
        (Self::Ended, b'e'),
        (Self::Unchanged, b'u'),
    ];

    /// The byte that stores the transition in a work item.
    pub fn to_byte(self) -> u8 {
        Self::BYTE_CODES.iter().find(|(transition, _)| *transition == self).map_or(b'?', |(_, byte)| *byte)
    }

    /// The transition that is stored as that byte; `None` for a byte that stands for none, or is unknown: a newer
    /// function has written it.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::BYTE_CODES.iter().find(|(_, code)| *code == byte).map(|(transition, _)| *transition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transition_byte_round_trips() {
        for (transition, byte) in Transition::BYTE_CODES {
            assert_eq!((transition.to_byte(), Transition::from_byte(byte)), (byte, Some(transition)));
        }
        assert_eq!(Transition::from_byte(b'?'), None);
    }
}
