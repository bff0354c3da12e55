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

use super::authorities::Authorities;
use super::issuer::{BadUrl, Issuer};
use super::key_set::{BadKeySet, KeySet};
use crate::domain::Timestamp;

const ARE_FRESH: Duration = Duration::from_mins(10);
const ARE_USABLE: Duration = Duration::from_hours(24);
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(30);
const BETWEEN_FIRST_QUESTIONS: Duration = Duration::from_secs(1);

/// The keys at an address.
#[derive(Debug)]
pub(super) struct RemoteKeys {
    issuer: Issuer,
    state: Mutex<State>,
    /// Held by the one request that asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<(Arc<KeySet>, Timestamp)>,
    asked: Option<Timestamp>,
    /// How many questions have ended.
    ended: u64,
    problem: String,
}

impl State {
    /// The keys, where they are not too old to be used.
    fn usable(&self, now: Timestamp) -> Option<Arc<KeySet>> {
        let (keys, since) = self.known.as_ref()?;
        (now < since.plus(ARE_USABLE)).then(|| Arc::clone(keys))
    }

    fn are_fresh(&self, now: Timestamp) -> bool {
        self.known.as_ref().is_some_and(|(_, since)| now < since.plus(ARE_FRESH))
    }

    fn was_asked_lately(&self, now: Timestamp) -> bool {
        let pause = if self.known.is_some() { BETWEEN_QUESTIONS } else { BETWEEN_FIRST_QUESTIONS };
        self.asked.is_some_and(|asked| now < asked.plus(pause))
    }

    /// Takes the answer to a question that was asked then: the keys, if there are any.
    fn take(&mut self, answer: Result<Option<KeySet>, String>, asked: Timestamp) {
        self.ended += 1;
        let problem = match answer {
            Ok(Some(keys)) => return self.known = Some((Arc::new(keys), asked)),
            Ok(None) => {
                self.known = None;
                BadKeySet::NoKeys.to_string()
            }
            Err(problem) => problem,
        };
        tracing::warn!(problem, "the keys for tokens cannot be read");
        self.problem = problem;
    }
}

impl RemoteKeys {
    pub(super) fn new(url: &str, authorities: &Authorities) -> Result<Self, BadUrl> {
        let issuer = Issuer::new(url, authorities)?;
        Ok(Self { issuer, state: Mutex::default(), asking: tokio::sync::Mutex::default() })
    }

    /// The keys as they are known; asks for them where they are not, or are old, or `lack_one`.
    ///
    /// # Errors
    /// Says why there are none.
    pub(super) async fn keys(&self, lack_one: bool, now: Timestamp) -> Result<Arc<KeySet>, String> {
        let (known, ended) = {
            let state = self.state();
            (state.usable(now), state.ended)
        };
        let turn = match known {
            Some(keys) if !lack_one => {
                if self.state().are_fresh(now) {
                    return Ok(keys);
                }
                let Ok(turn) = self.asking.try_lock() else { return Ok(keys) };
                turn
            }
            _ => self.asking.lock().await,
        };
        let wants = {
            let state = self.state();
            // Somebody else may have asked while this request waited for its turn.
            state.ended == ended && (lack_one || !state.are_fresh(now)) && !state.was_asked_lately(now)
        };
        if wants {
            self.state().asked = Some(now);
            let answer = self.ask().await;
            self.state().take(answer, now);
        }
        drop(turn);
        let state = self.state();
        state.usable(now).ok_or_else(|| state.problem.clone())
    }

    /// Asks for the keys; `None` where the set holds none that can be used.
    async fn ask(&self) -> Result<Option<KeySet>, String> {
        let (status, body) = self.issuer.get("", &[("accept", "application/json")]).await?;
        if status != 200 {
            return Err(format!("the key set's address answered {status}"));
        }
        match KeySet::parse_published(&String::from_utf8_lossy(&body)) {
            Ok(keys) => Ok(Some(keys)),
            Err(BadKeySet::NoKeys) => Ok(None),
            Err(problem) => Err(problem.to_string()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done while it is locked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
