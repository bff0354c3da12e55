//! A bounded cache whose entries expire, for credentials that were recently looked up or verified.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Values by key, each valid for its own period. Inserting beyond `CAPACITY` evicts the oldest entry.
///
/// A period has a start as well as an end, so that an entry from the future is not used after a clock was set back.
#[derive(Debug)]
pub(super) struct TtlCache<K, V, T, const CAPACITY: usize>(Mutex<Entries<K, V, T>>);

#[derive(Debug)]
struct Entries<K, V, T> {
    by_key: HashMap<K, Entry<V, T>>,
    /// The keys by their entry's sequence number: in insertion order.
    by_age: BTreeMap<u64, K>,
    next_sequence: u64,
}

#[derive(Debug)]
struct Entry<V, T> {
    value: V,
    valid: Range<T>,
    sequence: u64,
}

impl<K, V, T, const CAPACITY: usize> Default for TtlCache<K, V, T, CAPACITY> {
    fn default() -> Self {
        Self(Mutex::new(Entries { by_key: HashMap::new(), by_age: BTreeMap::new(), next_sequence: 0 }))
    }
}

impl<K: Clone + Eq + Hash, V: Clone, T: Ord, const CAPACITY: usize> TtlCache<K, V, T, CAPACITY> {
    /// Returns the value of a key if it is valid at `now`.
    pub(super) fn get(&self, key: &K, now: T) -> Option<V> {
        let entries = self.lock();
        let entry = entries.by_key.get(key)?;
        entry.valid.contains(&now).then(|| entry.value.clone())
    }

    /// Inserts or replaces a value. An empty period inserts nothing.
    pub(super) fn insert(&self, key: K, value: V, valid: Range<T>) {
        if valid.is_empty() {
            return;
        }
        let mut entries = self.lock();
        entries.remove(&key);
        let sequence = entries.next_sequence;
        entries.next_sequence += 1;
        entries.by_age.insert(sequence, key.clone());
        entries.by_key.insert(key, Entry { value, valid, sequence });
        if entries.by_key.len() > CAPACITY
            && let Some((_, oldest)) = entries.by_age.pop_first()
        {
            entries.by_key.remove(&oldest);
        }
    }

    /// Removes the value of a key.
    pub(super) fn remove(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, Entries<K, V, T>> {
        // No code panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V, T> Entries<K, V, T> {
    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.by_key.remove(key) {
            self.by_age.remove(&entry.sequence);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Cache = TtlCache<u32, u32, u32, 3>;

    #[test]
    fn cached_value_is_returned_only_while_valid() {
        let cache = Cache::default();
        cache.insert(1, 11, 5..10);
        assert_eq!([4, 5, 9, 10].map(|now| cache.get(&1, now)), [None, Some(11), Some(11), None]);
        assert_eq!(cache.get(&2, 5), None);
        cache.insert(1, 12, 10..20);
        assert_eq!(cache.get(&1, 10), Some(12));
        cache.remove(&1);
        assert_eq!(cache.get(&1, 10), None);
    }

    #[test]
    fn oldest_value_is_evicted_beyond_capacity() {
        let cache = Cache::default();
        (1..=3).for_each(|key| cache.insert(key, key, 0..9));
        cache.insert(1, 11, 0..9);
        cache.insert(4, 4, 0..9);
        assert_eq!([1, 2, 3, 4].map(|key| cache.get(&key, 0)), [Some(11), None, Some(3), Some(4)]);
        cache.remove(&3);
        cache.insert(5, 5, 0..9);
        assert_eq!([1, 4, 5].map(|key| cache.get(&key, 0)), [Some(11), Some(4), Some(5)]);
    }

    #[test]
    fn never_valid_value_evicts_nothing() {
        let cache = Cache::default();
        (1..=3).for_each(|key| cache.insert(key, key, 0..9));
        cache.insert(4, 4, 9..9);
        assert_eq!(cache.get(&1, 0), Some(1));
    }

    #[test]
    fn cache_memory_stays_bounded() {
        let cache = Cache::default();
        for key in 0..10_000 {
            cache.insert(key, key, 0..9);
            cache.insert(key % 2, key, 0..9);
        }
        let entries = cache.lock();
        assert_eq!((entries.by_key.len(), entries.by_age.len()), (3, 3));
    }
}
