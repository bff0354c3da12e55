//! A JSON Web Key Set at a URL, refreshed on demand, since its issuer rotates the keys.
//!
//! * The set is fetched again after 10 minutes, so that a withdrawn key ends.
//! * A token that names an unknown key causes a fetch, so that a new key works at once; but not twice within 30
//!   seconds, since anyone can make up such tokens.
//! * While fetching fails, the cached keys are used for up to a day.
//! * One request fetches at a time. A request whose key is cached does not wait for it. A request that waited uses the
//!   result instead of fetching again: if the URL hangs, requests in a row would wait longer and longer.
//! * A set without usable keys is a valid response. It removes all cached keys.

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

/// The keys at a URL, with the state of their cache.
#[derive(Debug)]
pub(super) struct RemoteKeySet {
    client: IssuerClient,
    state: Mutex<FetchState>,
    /// Held by the one request that fetches.
    fetch_lock: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct FetchState {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    last_fetch: Option<Timestamp>,
    /// How many fetches have ended, successful or not.
    completed_fetches: u64,
    last_error: String,
}

impl FetchState {
    /// Returns the keys unless they are older than [`MAX_KEY_AGE`].
    fn usable_keys(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let (keys, since) = self.keys.as_ref()?;
        (now < since.plus(MAX_KEY_AGE)).then(|| Arc::clone(keys))
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.keys.as_ref().is_some_and(|(_, since)| now < since.plus(REFRESH_INTERVAL))
    }

    fn was_fetched_recently(&self, now: Timestamp) -> bool {
        let interval = if self.keys.is_some() { MIN_FETCH_INTERVAL } else { MIN_FIRST_FETCH_INTERVAL };
        self.last_fetch.is_some_and(|started| now < started.plus(interval))
    }

    /// Records the result of a fetch that started at `started`. A failed one keeps the cached keys.
    fn record_fetch(&mut self, result: Result<Option<KeySet>, String>, started: Timestamp) {
        self.completed_fetches += 1;
        let problem = match result {
            Ok(Some(keys)) => return self.keys = Some((Arc::new(keys), started)),
            Ok(None) => {
                self.keys = None;
                BadKeySet::NoKeys.to_string()
            }
            Err(problem) => problem,
        };
        tracing::warn!(problem, "the issuer's keys cannot be fetched");
        self.last_error = problem;
    }
}

impl RemoteKeySet {
    pub(super) fn new(url: &str, authorities: &CertificateAuthorities) -> Result<Self, BadUrl> {
        let client = IssuerClient::new(url, authorities)?;
        Ok(Self { client, state: Mutex::default(), fetch_lock: tokio::sync::Mutex::default() })
    }

    /// Returns the cached keys. Fetches them first if the cache is empty, they are older than [`REFRESH_INTERVAL`], or
    /// `is_key_missing`, but not twice within [`MIN_FETCH_INTERVAL`]: at most one request.
    ///
    /// # Errors
    /// The failure of the last fetch, for the log, if there are no usable keys.
    pub(super) async fn get(&self, is_key_missing: bool, now: Timestamp) -> Result<Arc<KeySet>, String> {
        let (cached, fetches_before) = {
            let state = self.lock_state();
            (state.usable_keys(now), state.completed_fetches)
        };
        let guard = match cached {
            Some(keys) if !is_key_missing => {
                if self.lock_state().is_fresh(now) {
                    return Ok(keys);
                }
                let Ok(guard) = self.fetch_lock.try_lock() else { return Ok(keys) };
                guard
            }
            _ => self.fetch_lock.lock().await,
        };
        let needs_fetch = {
            let state = self.lock_state();
            // Another request may have fetched while this one waited for the lock.
            state.completed_fetches == fetches_before
                && (is_key_missing || !state.is_fresh(now))
                && !state.was_fetched_recently(now)
        };
        if needs_fetch {
            self.lock_state().last_fetch = Some(now);
            let result = self.fetch().await;
            self.lock_state().record_fetch(result, now);
        }
        drop(guard);
        let state = self.lock_state();
        state.usable_keys(now).ok_or_else(|| state.last_error.clone())
    }

    /// Fetches the set, in one request; `None` if it has no usable key.
    async fn fetch(&self) -> Result<Option<KeySet>, String> {
        let (status, body) = self.client.get("", &[("accept", "application/json")]).await?;
        if status != 200 {
            return Err(format!("the key set's URL answered {status}"));
        }
        match KeySet::parse_published(&String::from_utf8_lossy(&body)) {
            Ok(keys) => Ok(Some(keys)),
            Err(BadKeySet::NoKeys) => Ok(None),
            Err(problem) => Err(problem.to_string()),
        }
    }

    fn lock_state(&self) -> MutexGuard<'_, FetchState> {
        // No code panics while the lock is held, so the state is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
