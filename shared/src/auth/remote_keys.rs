//! A JSON Web Key Set at an address, asked for again from time to time, since its owner rotates the keys.
//!
//! * After 10 minutes the keys are asked for again, so that a key that was taken out ends.
//! * A token that names a key which is not there has them asked for at once, so that a new key works at once; but not twice
//!   within 30 seconds, since anybody can make up such tokens.
//! * While the address does not answer, the keys that are known go on being used, for a day.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::issuer::{BadUrl, Issuer};
use super::key_set::KeySet;
use crate::domain::Timestamp;

const ARE_FRESH: Duration = Duration::from_mins(10);
const ARE_USABLE: Duration = Duration::from_hours(24);
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(30);
const BETWEEN_FIRST_QUESTIONS: Duration = Duration::from_secs(1);

/// The keys at an address.
#[derive(Debug)]
pub(super) struct RemoteKeys {
    issuer: Issuer,
    /// Locked while the question is under way: whoever comes in between waits for the same answer.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<(Arc<KeySet>, Timestamp)>,
    asked: Option<Timestamp>,
    problem: String,
}

impl RemoteKeys {
    pub(super) fn new(url: &str) -> Result<Self, BadUrl> {
        Ok(Self { issuer: Issuer::new(url)?, state: Mutex::default() })
    }

    /// The keys as they are known; asks for them where they are not, or are old, or `lack_one`.
    ///
    /// # Errors
    /// Says why there are none.
    pub(super) async fn keys(&self, lack_one: bool, now: Timestamp) -> Result<Arc<KeySet>, String> {
        let mut state = self.state.lock().await;
        let is_old = |since: Timestamp, age| since.plus(age) <= now;
        let wants = lack_one || state.known.as_ref().is_none_or(|(_, since)| is_old(*since, ARE_FRESH));
        let pause = if state.known.is_some() { BETWEEN_QUESTIONS } else { BETWEEN_FIRST_QUESTIONS };
        if wants && state.asked.is_none_or(|asked| is_old(asked, pause)) {
            state.asked = Some(now);
            match self.ask().await {
                Ok(keys) => state.known = Some((Arc::new(keys), now)),
                Err(problem) => {
                    tracing::warn!(problem, "the keys for tokens cannot be read");
                    state.problem = problem;
                }
            }
        }
        match &state.known {
            Some((keys, since)) if !is_old(*since, ARE_USABLE) => Ok(Arc::clone(keys)),
            _ => Err(state.problem.clone()),
        }
    }

    async fn ask(&self) -> Result<KeySet, String> {
        let (status, body) = self.issuer.get("", &[("accept", "application/json")]).await?;
        if status != 200 {
            return Err(format!("the key set's address answered {status}"));
        }
        KeySet::parse(&String::from_utf8_lossy(&body)).map_err(|problem| problem.to_string())
    }
}
