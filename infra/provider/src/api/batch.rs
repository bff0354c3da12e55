//! Reads that wait at the same time, joined to one call.
//!
//! Terraform reads ten resources at a time, each on its own. A read first waits a moment for others, and the first one
//! then reads for all of them. A read is never answered by a call that was sent before it was asked for, so it sees what
//! has been written before.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::{ApiError, ErrorKind};

/// How long a read waits for others: little beside a call, and enough for those that Terraform begins together.
const WINDOW: Duration = Duration::from_millis(3);

/// The reads of one kind that wait for the next call.
pub(super) struct Batch<K, V> {
    waiting: Mutex<Vec<Waiting<K, V>>>,
}

struct Waiting<K, V> {
    key: K,
    found: oneshot::Sender<Result<Option<V>, ApiError>>,
}

impl<K, V> Default for Batch<K, V> {
    fn default() -> Self {
        Self { waiting: Mutex::default() }
    }
}

impl<K, V> Batch<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Reads the value of a key, with the other keys that wait now. Each call gives the same `load`, which reads the
    /// values of distinct keys; a key that it leaves out has none. Returns `None` if the key has no value.
    pub(super) async fn get<L, F>(self: &Arc<Self>, key: K, load: L) -> Result<Option<V>, ApiError>
    where
        L: FnOnce(Vec<K>) -> F + Send + 'static,
        F: Future<Output = Result<HashMap<K, V>, ApiError>> + Send,
    {
        let (found, receiver) = oneshot::channel();
        let is_first = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.push(Waiting { key, found });
            waiting.len() == 1
        };
        if is_first {
            // A task of its own: the others still wait if this read is cancelled.
            let batch = Arc::clone(self);
            tokio::spawn(async move {
                sleep(WINDOW).await;
                batch.load(load).await;
            });
        }
        receiver.await.unwrap_or_else(|_| {
            Err(ApiError::local(ErrorKind::Failed, "The read was given up. Try again.", String::new()))
        })
    }

    async fn load<L, F>(&self, load: L)
    where
        L: FnOnce(Vec<K>) -> F,
        F: Future<Output = Result<HashMap<K, V>, ApiError>>,
    {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let mut seen = HashSet::new();
        let keys =
            waiting.iter().map(|read| read.key.clone()).filter(|key| seen.insert(key.clone())).collect();
        let values = load(keys).await;
        for Waiting { key, found } in waiting {
            // A read that was cancelled needs nothing.
            let _ = found.send(match &values {
                Ok(values) => Ok(values.get(&key).cloned()),
                Err(error) => Err(error.clone()),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    async fn doubled(keys: Vec<u32>, calls: Arc<AtomicUsize>) -> Result<HashMap<u32, u32>, ApiError> {
        calls.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_secs(1)).await;
        Ok(keys.into_iter().filter(|key| *key != 0).map(|key| (key, key * 2)).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn reads_at_the_same_time_are_one_call() {
        let (batch, calls) = (Arc::<Batch<u32, u32>>::default(), Arc::new(AtomicUsize::new(0)));
        let reads = [1, 2, 2, 0].map(|key| {
            let calls = Arc::clone(&calls);
            batch.get(key, |keys| doubled(keys, calls))
        });
        let found: Vec<_> = join_all(reads).await.into_iter().map(|read| read.expect("a read")).collect();
        assert_eq!(found, [Some(2), Some(4), Some(4), None]);
        assert_eq!(calls.load(Ordering::SeqCst), 1);

        let again = Arc::clone(&calls);
        assert_eq!(batch.get(1, |keys| doubled(keys, again)).await.expect("a read"), Some(2));
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn cancelled_read_does_not_stop_the_others() {
        let batch = Arc::<Batch<u32, u32>>::default();
        let calls = Arc::new(AtomicUsize::new(0));
        let of_first = Arc::clone(&calls);
        let first = batch.get(1, |keys| doubled(keys, of_first));
        let first = tokio::time::timeout(Duration::from_millis(1), first);
        let of_second = Arc::clone(&calls);
        let second = batch.get(2, |keys| doubled(keys, of_second));
        let (first, second) = tokio::join!(first, second);
        assert!(first.is_err());
        assert_eq!(second.expect("a read"), Some(4));
    }
}
