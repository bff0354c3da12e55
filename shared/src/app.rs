//! What every use case works with: the table, the limits, and where this deployment stands.

use std::sync::Arc;

use tokio::time::Instant;

use crate::domain::{Clock, Limits, Rules};
use crate::store::Store;

/// The settings of a deployment that use cases and facades read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The region that this deployment serves, as clients name it.
    pub region: String,
    /// The address that clients use, as `https://images.example`; that of each request where it is not told.
    pub public_url: Option<String>,
    /// Whether every tenant stands in the directory, so that one which does not is none (`contract/decisions.md` 20).
    pub directory_is_complete: bool,
    /// The limits in force.
    pub limits: Limits,
}

impl Settings {
    /// What a sharing must be to be made.
    pub fn rules(&self) -> Rules<'_> {
        let Self { region, directory_is_complete, limits, .. } = self;
        Rules { limits, region, directory_is_complete: *directory_is_complete }
    }
}

/// The table and the settings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    /// The table.
    pub store: Store,
    /// The deployment's settings.
    pub settings: Arc<Settings>,
}

impl App {
    /// The clock of this process.
    pub fn clock(&self) -> &Clock {
        self.store.clock()
    }

    /// The same, with a table that is asked until that moment and no longer.
    #[must_use]
    pub fn with_deadline(&self, deadline: Instant) -> Self {
        Self { store: self.store.with_deadline(deadline), ..self.clone() }
    }
}
