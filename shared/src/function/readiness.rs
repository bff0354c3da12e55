//! Whether a function can handle requests, and if not, what its operator has to do.
//!
//! A function that lacks something starts all the same. It says once in its log what is wrong, and then responds to every
//! request with 503; ended, it would be started again and again, and clients would see the gateway's own error. What can
//! heal is tried again with requests, at most every few seconds: a table or secret that is created later, or a permission that
//! is granted. What a caller learns, in `/health`, are the names of settings and secrets and the kind of fault.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lambda_http::Request;
use tokio::time::timeout;

use super::environment::BadDeployment;
use crate::auth::Authenticator;
use crate::domain::Timestamp;
use crate::http::Unready;
use crate::store::Store;

/// The most time that a function waits for the table, the secrets and the issuers' keys while it initialises.
const WARM_UP_TIMEOUT: Duration = Duration::from_millis(1500);

/// The interval at which a table that has refused a call is tried again.
const PROBE_INTERVAL: Duration = Duration::from_secs(3);

/// How long such a try may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a function needs before it can handle a request.
#[derive(Debug)]
pub(super) enum Readiness {
    /// The environment is wrong. Only a new deployment changes that.
    Misconfigured(BadDeployment),
    /// The environment is right. The table and the secrets may be unusable now.
    Configured { table: TableCheck, authenticator: Authenticator },
}

impl Readiness {
    /// The readiness of a function with this table and authenticator, which are not asked yet.
    pub(super) fn of(store: Store, authenticator: Authenticator) -> Self {
        let table = TableCheck { store, last_refusal: Arc::default() };
        Self::Configured { table, authenticator }
    }

    /// Opens the connection to the table, and fetches secrets and the issuers' keys concurrently. A call that has not
    /// completed after [`WARM_UP_TIMEOUT`] continues in the background, beside the first request. Failures are logged.
    pub(super) async fn warm_up(&self) {
        let Self::Configured { table, authenticator } = self else { return };
        let (table, authenticator) = (table.clone(), authenticator.clone());
        let warming_up = tokio::spawn(async move {
            tokio::join!(table.probe(), authenticator.prefetch_keys());
        });
        match timeout(WARM_UP_TIMEOUT, warming_up).await {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => tracing::error!(%problem, "the warm-up task failed"),
            Err(_) => tracing::warn!(
                "the table, a secret or a token issuer has not responded yet; requests will try again"
            ),
        }
    }

    /// Checks that the function can handle a request. Costs no call if it could at the request before.
    ///
    /// # Errors
    /// What is wrong: settings and secrets by name, and the kind of each fault.
    pub(super) async fn check(&self) -> Result<(), Unready> {
        let (table, authenticator) = match self {
            Self::Misconfigured(problem) => return Err(Unready(problem.summary())),
            Self::Configured { table, authenticator } => (table, authenticator),
        };
        let (refusal, secrets) =
            tokio::join!(table.refusal(), authenticator.unusable_secrets(Timestamp::now()));
        let problems: Vec<_> = refusal.map(str::to_owned).into_iter().chain(secrets).collect();
        if problems.is_empty() { Ok(()) } else { Err(Unready(problems.join("; "))) }
    }

    /// Marks a request if the function cannot handle it, so that it is rejected in the format of its route
    /// ([`HttpFunction::receive`](super::HttpFunction::receive)).
    pub(super) async fn mark(&self, mut request: Request) -> Request {
        if let Err(unready) = self.check().await {
            request.extensions_mut().insert(unready);
        }
        request
    }
}

/// Remembers whether the table refuses the function. Clones share that.
#[derive(Debug, Clone)]
pub(super) struct TableCheck {
    store: Store,
    /// When the table has refused the last call; `None` if it has not.
    last_refusal: Arc<Mutex<Option<Timestamp>>>,
}

impl TableCheck {
    /// Reads from the table, and logs a failure. One that may pass is left to the requests, whose calls are retried.
    async fn probe(&self) {
        match self.store.probe().await {
            Ok(()) => {
                if self.lock().take().is_some() {
                    tracing::info!("the table can be used now");
                }
            }
            Err(problem) if problem.is_transient() => {
                tracing::warn!(%problem, "the table does not respond; requests will try again");
            }
            Err(problem) => {
                *self.lock() = Some(Timestamp::now());
                tracing::error!(
                    %problem,
                    "IMAGESHARE_TABLE: the table cannot be used: create it, and allow the function's role to use it"
                );
            }
        }
    }

    /// Returns what is wrong if the table refuses the function. Tries again if the last try was some seconds ago: one read.
    async fn refusal(&self) -> Option<&'static str> {
        let refused = *self.lock();
        let now = Timestamp::now();
        if refused.is_some_and(|since| now >= since.plus(PROBE_INTERVAL)) {
            // Other requests do not try at the same time.
            *self.lock() = Some(now);
            Self { store: self.store.with_timeout(PROBE_TIMEOUT), ..self.clone() }.probe().await;
        }
        let is_refused = self.lock().is_some();
        is_refused.then_some("IMAGESHARE_TABLE: the table does not exist, or the function may not use it")
    }

    fn lock(&self) -> MutexGuard<'_, Option<Timestamp>> {
        // No code panics while the lock is held.
        self.last_refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
