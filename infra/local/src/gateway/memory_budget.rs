//! Limits the memory that large bodies take at a time. Small bodies are limited by the number of connections.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bodies up to this size are not counted, so that requests of usual size always succeed.
pub(super) const SMALL_BODY_BYTES: usize = 16 * 1024;

/// The unit of the budget, in bytes.
const UNIT_BYTES: usize = 1024;

/// The memory budget for large bodies.
pub(super) struct MemoryBudget(Arc<Semaphore>);

/// A part of the budget, released when dropped. Small bodies have none.
pub(super) struct MemoryPermit(Option<OwnedSemaphorePermit>);

impl MemoryBudget {
    /// A budget of that many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT_BYTES)))
    }

    /// Takes as much of the budget as a body of that size needs; `None` if too little is left.
    pub(super) fn try_acquire(&self, bytes: usize) -> Option<MemoryPermit> {
        if bytes <= SMALL_BODY_BYTES {
            return Some(MemoryPermit(None));
        }
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).ok()?;
        let permit = Arc::clone(&self.0).try_acquire_many_owned(units).ok()?;
        Some(MemoryPermit(Some(permit)))
    }
}

impl MemoryPermit {
    /// Ties the permit to the bytes: it is released when the last slice of them is dropped.
    pub(super) fn attach_to(self, bytes: Vec<u8>) -> Bytes {
        match self.0 {
            Some(_) => Bytes::from_owner(PermittedBytes { bytes, _permit: self }),
            None => bytes.into(),
        }
    }
}

struct PermittedBytes {
    bytes: Vec<u8>,
    _permit: MemoryPermit,
}

impl AsRef<[u8]> for PermittedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permit_is_released_with_the_last_byte() {
        let budget = MemoryBudget::new(100 * UNIT_BYTES);
        let held = budget.try_acquire(60 * UNIT_BYTES).unwrap().attach_to(vec![7; 60 * UNIT_BYTES]);
        let part = held.slice(..1);
        drop(held);
        assert!(budget.try_acquire(41 * UNIT_BYTES).is_none());
        assert!(budget.try_acquire(40 * UNIT_BYTES).is_some());
        assert!(budget.try_acquire(SMALL_BODY_BYTES).is_some(), "a small body is not counted");
        drop(part);
        assert!(budget.try_acquire(100 * UNIT_BYTES).is_some());
    }
}
