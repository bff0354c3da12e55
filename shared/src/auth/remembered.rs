//! What was found out lately, so that nobody is asked the same twice in a short while.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many are remembered at a time; above that all are forgotten.
const MOST: usize = 10_000;

/// Values by their keys, each until its own end.
#[derive(Debug)]
pub(super) struct Remembered<K, V, T>(Mutex<HashMap<K, (V, T)>>);

impl<K, V, T> Default for Remembered<K, V, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone, T: Ord> Remembered<K, V, T> {
    /// What is known of that key.
    pub(super) fn get(&self, key: &K, now: T) -> Option<V> {
        let known = self.lock();
        let (value, until) = known.get(key)?;
        (now < *until).then(|| value.clone())
    }

    /// Remembers something until then.
    pub(super) fn put(&self, key: K, value: V, until: T) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, (value, until));
    }

    /// Forgets what is known of that key.
    pub(super) fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, (V, T)>> {
        // Nothing is left half done while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_known_until_its_end_or_until_it_is_forgotten() {
        let remembered = Remembered::default();
        remembered.put("a", 1, 10);
        assert_eq!((remembered.get(&"a", 9), remembered.get(&"a", 10)), (Some(1), None));
        assert_eq!(remembered.get(&"b", 0), None);
        remembered.put("a", 2, 20);
        assert_eq!(remembered.get(&"a", 10), Some(2));
        remembered.forget(&"a");
        assert_eq!(remembered.get(&"a", 0), None);
    }

    #[test]
    fn no_more_than_a_number_are_kept() {
        let remembered = Remembered::default();
        for key in 0..=MOST {
            remembered.put(key, (), 1);
        }
        assert_eq!(remembered.lock().len(), 1);
    }
}
