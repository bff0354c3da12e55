//! What every use case works with: the store, and the settings of the deployment.

mod waiting_reads;

use std::sync::Arc;

use tokio::time::Instant;

pub use self::waiting_reads::{Pause, TooManyWaiting, WaitingReads};
use crate::domain::{Clock, Limits, Rules};
use crate::store::Store;

/// The settings of a deployment that use cases and facades read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The region that this deployment serves, as clients name it.
    pub region: String,
    /// The base URL that clients use, such as `https://images.example`. `None`: the one that each request was sent to.
    pub public_url: Option<String>,
    /// Whether the directory lists every tenant. If so, a tenant that is not in it does not exist
    /// (`contract/decisions.md` 20).
    pub directory_is_complete: bool,
    /// The limits in force.
    pub limits: Limits,
    /// The requests that wait for a message or for the end of a job. `None` if none may, as in a function, which is paid by its duration.
    pub waiting_reads: Option<WaitingReads>,
}

impl Settings {
    /// The settings that the rules of consent depend on.
    pub fn rules(&self) -> Rules<'_> {
        let Self { region, directory_is_complete, limits, .. } = self;
        Rules { limits, region, directory_is_complete: *directory_is_complete }
    }
}

/// The store and the settings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    /// The store.
    pub store: Store,
    /// The deployment's settings.
    pub settings: Arc<Settings>,
}

impl App {
    /// The clock of this process.
    pub fn clock(&self) -> &Clock {
        self.store.clock()
    }

    /// The same app, whose calls to the table are retried until `deadline` at most.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        Self { store: self.store.with_deadline(deadline), ..self.clone() }
    }
}
