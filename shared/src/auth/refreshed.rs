//! A value that is fetched from elsewhere and cached: the keys at an issuer's URL, or the keys in a parameter or a secret of
//! AWS. It is refreshed on demand, since keys are rotated there.
//!
//! * The value is fetched again when it has reached an age ([`RefreshPolicy`]), so that a withdrawn key ends. The policy says
//!   from when a request only starts the fetch, in the background, and from when it waits for it.
//! * A credential that names an unknown key causes a fetch, so that a new key works at once; but not twice within 30 seconds,
//!   since anyone can make up such credentials. If it is known when the key came into use, and that was after the last fetch,
//!   the 30 seconds do not count.
//! * While fetching fails, the cached value is used for up to a day.
//! * One request fetches at a time. A request whose key is cached does not wait for it, unless the value is too old and the
//!   fetch was started in the background. A request that waited uses the result instead of fetching again: if the source
//!   hangs, requests in a row would wait longer and longer.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::Timestamp;

const MAX_AGE: Duration = Duration::from_hours(24);
const MIN_FETCH_INTERVAL: Duration = Duration::from_secs(30);

/// The interval of fetches for a key that came into use after the last one.
const MIN_NEW_KEY_INTERVAL: Duration = Duration::from_secs(1);

/// How far the clock of the function that brought a key into use may differ from ours.
const CLOCK_LEEWAY: Duration = Duration::from_secs(5);

/// Where a value comes from.
pub(super) trait Source: fmt::Debug + Send + Sync + 'static {
    /// The value.
    type Value: fmt::Debug + Send + Sync;

    /// Fetches the value, in one request; `None` if the source says that there is none any more, which removes the cached
    /// one.
    ///
    /// # Errors
    /// [`FetchError`] if the source does not answer, or not usefully. A cached value is kept.
    fn fetch(&self) -> impl Future<Output = Result<Option<Self::Value>, FetchError>> + Send;
}

/// Why a value cannot be fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FetchError {
    /// What is wrong. It names the source and shows nothing of a value.
    pub(super) problem: String,
    /// What the source says about it, for the log only; may be empty.
    pub(super) detail: String,
}

impl From<String> for FetchError {
    fn from(problem: String) -> Self {
        Self { problem, detail: String::new() }
    }
}

/// When a value is fetched again.
#[derive(Debug, Clone, Copy)]
pub(super) struct RefreshPolicy {
    /// The age from which a request starts a fetch, without waiting for it.
    pub(super) background_age: Duration,
    /// The age from which a request waits for the fetch.
    pub(super) blocking_age: Duration,
    /// The interval of attempts while there is no value.
    pub(super) first_fetch_interval: Duration,
}

impl RefreshPolicy {
    /// Whether the fetch that is going on may have been started in the background. It may then be as old as the last request,
    /// since Lambda freezes it with the function.
    fn has_background_fetches(&self) -> bool {
        self.background_age < self.blocking_age
    }
}

/// What a caller wants of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The cached value, if it is not too old.
    Cached,
    /// A value with a key that the cached one lacks. `in_use_since` is when the key came into use, if that is known from a
    /// trusted source.
    MissingKey { in_use_since: Option<Timestamp> },
}

/// A source, with the state of its cache.
#[derive(Debug)]
pub(super) struct Refreshed<S: Source> {
    source: S,
    policy: RefreshPolicy,
    state: Mutex<FetchState<S::Value>>,
    /// Held by the one task that fetches.
    fetch_lock: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct FetchState<T> {
    /// The value, with when its fetch started.
    value: Option<(Arc<T>, Timestamp)>,
    last_fetch: Option<Timestamp>,
    /// How many fetches have ended, successful or not.
    completed_fetches: u64,
    last_problem: String,
}

impl<T> FetchState<T> {
    /// Returns the value unless it is older than [`MAX_AGE`].
    fn usable_value(&self, now: Timestamp) -> Option<Arc<T>> {
        let (value, since) = self.value.as_ref()?;
        (now < since.plus(MAX_AGE)).then(|| Arc::clone(value))
    }

    fn is_younger_than(&self, age: Duration, now: Timestamp) -> bool {
        self.value.as_ref().is_some_and(|(_, since)| now < since.plus(age))
    }

    fn was_fetched_within(&self, interval: Duration, now: Timestamp) -> bool {
        self.last_fetch.is_some_and(|started| now < started.plus(interval))
    }

    /// Returns whether the value was fetched before this moment, or maybe before it.
    fn is_from_before(&self, moment: Timestamp) -> bool {
        self.value.as_ref().is_none_or(|(_, since)| *since <= moment.plus(CLOCK_LEEWAY))
    }

    fn needs_fetch(&self, wanted: Wanted, policy: &RefreshPolicy, now: Timestamp) -> bool {
        let interval = if self.value.is_some() { MIN_FETCH_INTERVAL } else { policy.first_fetch_interval };
        let is_due = !self.was_fetched_within(interval, now);
        match wanted {
            Wanted::Cached => is_due && !self.is_younger_than(policy.background_age, now),
            Wanted::MissingKey { in_use_since: Some(since) } if self.is_from_before(since) => {
                !self.was_fetched_within(MIN_NEW_KEY_INTERVAL, now)
            }
            Wanted::MissingKey { .. } => is_due,
        }
    }

    /// Records the result of a fetch that started at `started`, and logs a failure: as an error if there is nothing else to
    /// use.
    fn record_fetch(&mut self, result: Result<Option<T>, FetchError>, started: Timestamp) {
        self.completed_fetches += 1;
        let FetchError { problem, detail } = match result {
            Ok(Some(value)) => {
                self.last_problem = String::new();
                self.value = Some((Arc::new(value), started));
                return;
            }
            Ok(None) => {
                self.value = None;
                FetchError::from("the source has no key any more".to_owned())
            }
            Err(error) => error,
        };
        let detail = Some(detail).filter(|detail| !detail.is_empty());
        if self.usable_value(started).is_some() {
            tracing::warn!(problem, detail, "keys cannot be fetched; the earlier ones are used");
        } else {
            tracing::error!(problem, detail, "keys cannot be fetched; requests will try again");
        }
        self.last_problem = problem;
    }
}

impl<S: Source> Refreshed<S> {
    /// Creates an empty cache. Fetches nothing yet.
    pub(super) fn new(source: S, policy: RefreshPolicy) -> Arc<Self> {
        let state =
            FetchState { value: None, last_fetch: None, completed_fetches: 0, last_problem: String::new() };
        Arc::new(Self { source, policy, state: Mutex::new(state), fetch_lock: tokio::sync::Mutex::default() })
    }

    /// The source.
    pub(super) fn source(&self) -> &S {
        &self.source
    }

    /// Returns the cached value, whatever its age, without a request.
    pub(super) fn cached(&self) -> Option<Arc<S::Value>> {
        self.lock_state().value.as_ref().map(|(value, _)| Arc::clone(value))
    }

    /// Returns the value. Fetches it first if there is none, it is too old, or a key is missing from it: at most one request.
    /// One that is only due to be refreshed is returned as it is, while it is fetched in the background.
    ///
    /// # Errors
    /// The problem of the last fetch if there is no usable value.
    pub(super) async fn get(
        self: &Arc<Self>,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<Arc<S::Value>, String> {
        let (cached, completed, needs_fetch, can_wait) = {
            let state = self.lock_state();
            let needs_fetch = state.needs_fetch(wanted, &self.policy, now);
            let can_wait = state.is_younger_than(self.policy.blocking_age, now);
            (state.usable_value(now), state.completed_fetches, needs_fetch, can_wait)
        };
        let guard = match cached {
            Some(value) if wanted == Wanted::Cached => {
                if !needs_fetch {
                    return Ok(value);
                }
                if can_wait {
                    self.start_refresh(now);
                    return Ok(value);
                }
                match self.fetch_lock.try_lock() {
                    Ok(guard) => guard,
                    Err(_) if self.policy.has_background_fetches() => self.fetch_lock.lock().await,
                    Err(_) => return Ok(value),
                }
            }
            _ => self.fetch_lock.lock().await,
        };
        // Another request may have fetched while this one waited for the lock.
        if self.lock_state().completed_fetches == completed {
            self.fetch_if_needed(wanted, now).await;
        }
        drop(guard);
        let state = self.lock_state();
        state.usable_value(now).ok_or_else(|| state.last_problem.clone())
    }

    /// Starts a fetch beside the request, unless one is going on. On Lambda it may end during the next request, since the
    /// function is frozen in between.
    fn start_refresh(self: &Arc<Self>, now: Timestamp) {
        let refreshed = Arc::clone(self);
        tokio::spawn(async move {
            if let Ok(_guard) = refreshed.fetch_lock.try_lock() {
                refreshed.fetch_if_needed(Wanted::Cached, now).await;
            }
        });
    }

    /// The caller holds the lock.
    async fn fetch_if_needed(&self, wanted: Wanted, now: Timestamp) {
        let needs_fetch = {
            let mut state = self.lock_state();
            let needs_fetch = state.needs_fetch(wanted, &self.policy, now);
            if needs_fetch {
                state.last_fetch = Some(now);
            }
            needs_fetch
        };
        if needs_fetch {
            let result = self.source.fetch().await;
            self.lock_state().record_fetch(result, now);
        }
    }

    fn lock_state(&self) -> MutexGuard<'_, FetchState<S::Value>> {
        // No code panics while the lock is held, so the state is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
