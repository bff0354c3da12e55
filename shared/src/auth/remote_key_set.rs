//! A JSON Web Key Set at an address, asked for again from time to time, since its owner rotates the keys.
//!
//! * After 10 minutes the keys are asked for again, so that a key that was taken out ends.
//! * A token that names a key which is not there has them asked for at once, so that a new key works at once; but not twice
//!   within 30 seconds, since anybody can make up such tokens.
//! * While the address does not answer, the keys that are known go on being used, for a day. Nobody whose key is known
//!   waits for a question that another request asks, and nobody who waits asks again: one behind the other, they would wait
//!   ever longer for an address that hangs.
//! * An answer that holds no key at all is one: whatever was known was taken out, and ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::certificate_authorities::CertificateAuthorities;
use super::issuer_client::{BadUrl, IssuerClient};
use super::key_set::{BadKeySet, KeySet};
use crate::domain::Timestamp;

const REFRESH_INTERVAL: Duration = Duration::from_mins(10);
const MAX_KEY_AGE: Duration = Duration::from_hours(24);
const MIN_FETCH_INTERVAL: Duration = Duration::from_secs(30);
const MIN_FIRST_FETCH_INTERVAL: Duration = Duration::from_secs(1);

/// The keys at an address.
#[derive(Debug)]
pub(super) struct RemoteKeySet {
    client: IssuerClient,
    state: Mutex<FetchState>,
    /// Held by the one request that asks.
    fetch_lock: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct FetchState {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    last_fetch: Option<Timestamp>,
    /// How many questions have ended.
    completed_fetches: u64,
    last_error: String,
}

impl FetchState {
    /// The keys, where they are not too old to be used.
    fn usable_keys(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let (keys, since) = self.keys.as_ref()?;
        (now < since.plus(MAX_KEY_AGE)).then(|| Arc::clone(keys))
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.keys.as_ref().is_some_and(|(_, since)| now < since.plus(REFRESH_INTERVAL))
    }

    fn was_fetched_recently(&self, now: Timestamp) -> bool {
        let pause = if self.keys.is_some() { MIN_FETCH_INTERVAL } else { MIN_FIRST_FETCH_INTERVAL };
        self.last_fetch.is_some_and(|asked| now < asked.plus(pause))
    }

    /// Takes the answer to a question that was asked then: the keys, if there are any.
    fn record_fetch(&mut self, answer: Result<Option<KeySet>, String>, asked: Timestamp) {
        self.completed_fetches += 1;
        let problem = match answer {
            Ok(Some(keys)) => return self.keys = Some((Arc::new(keys), asked)),
            Ok(None) => {
                self.keys = None;
                BadKeySet::NoKeys.to_string()
            }
            Err(problem) => problem,
        };
        tracing::warn!(problem, "the keys for tokens cannot be read");
        self.last_error = problem;
    }
}

impl RemoteKeySet {
    pub(super) fn new(url: &str, authorities: &CertificateAuthorities) -> Result<Self, BadUrl> {
        let issuer = IssuerClient::new(url, authorities)?;
        Ok(Self { client: issuer, state: Mutex::default(), fetch_lock: tokio::sync::Mutex::default() })
    }

    /// The keys as they are known; asks for them where they are not, or are old, or `is_key_missing`.
    ///
    /// # Errors
    /// Says why there are none.
    pub(super) async fn get(&self, is_key_missing: bool, now: Timestamp) -> Result<Arc<KeySet>, String> {
        let (known, ended) = {
            let state = self.lock_state();
            (state.usable_keys(now), state.completed_fetches)
        };
        let turn = match known {
            Some(keys) if !is_key_missing => {
                if self.lock_state().is_fresh(now) {
                    return Ok(keys);
                }
                let Ok(turn) = self.fetch_lock.try_lock() else { return Ok(keys) };
                turn
            }
            _ => self.fetch_lock.lock().await,
        };
        let wants = {
            let state = self.lock_state();
            // Somebody else may have asked while this request waited for its turn.
            state.completed_fetches == ended
                && (is_key_missing || !state.is_fresh(now))
                && !state.was_fetched_recently(now)
        };
        if wants {
            self.lock_state().last_fetch = Some(now);
            let answer = self.fetch().await;
            self.lock_state().record_fetch(answer, now);
        }
        drop(turn);
        let state = self.lock_state();
        state.usable_keys(now).ok_or_else(|| state.last_error.clone())
    }

    /// Asks for the keys; `None` where the set holds none that can be used.
    async fn fetch(&self) -> Result<Option<KeySet>, String> {
        let (status, body) = self.client.get("", &[("accept", "application/json")]).await?;
        if status != 200 {
            return Err(format!("the key set's address answered {status}"));
        }
        match KeySet::parse_published(&String::from_utf8_lossy(&body)) {
            Ok(keys) => Ok(Some(keys)),
            Err(BadKeySet::NoKeys) => Ok(None),
            Err(problem) => Err(problem.to_string()),
        }
    }

    fn lock_state(&self) -> MutexGuard<'_, FetchState> {
        // Nothing is left half done while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
