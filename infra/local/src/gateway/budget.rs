//! A bound on the bytes of large bodies that are in memory at once. Small ones are bounded by the number of connections.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body of at most this many bytes takes no room: so requests of a usual size are answered whatever else is going on.
pub(super) const SMALL: usize = 16 * 1024;

/// The unit in which room is counted, in bytes.
const UNIT: usize = 1024;

/// Room for large bodies.
pub(super) struct Budget(Arc<Semaphore>);

/// Room that is taken, until it is dropped.
pub(super) struct Room(Option<OwnedSemaphorePermit>);

impl Budget {
    /// Room for that many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// Room for a body of at most that many bytes; none where too much is taken.
    pub(super) fn take(&self, bytes: usize) -> Option<Room> {
        if bytes <= SMALL {
            return Some(Room(None));
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        let permit = Arc::clone(&self.0).try_acquire_many_owned(units).ok()?;
        Some(Room(Some(permit)))
    }
}

impl Room {
    /// The bytes, which keep the room until the last of them is dropped.
    pub(super) fn hold(self, bytes: Vec<u8>) -> Bytes {
        match self.0 {
            Some(_) => Bytes::from_owner(Held { bytes, _room: self }),
            None => bytes.into(),
        }
    }
}

struct Held {
    bytes: Vec<u8>,
    _room: Room,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_given_back_with_the_last_byte() {
        let budget = Budget::new(100 * UNIT);
        let held = budget.take(60 * UNIT).unwrap().hold(vec![7; 60 * UNIT]);
        let part = held.slice(..1);
        drop(held);
        assert!(budget.take(41 * UNIT).is_none());
        assert!(budget.take(40 * UNIT).is_some());
        assert!(budget.take(SMALL).is_some(), "a small body always has room");
        drop(part);
        assert!(budget.take(100 * UNIT).is_some());
    }
}
