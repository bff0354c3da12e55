//! What every use case works with: the table, the limits, and where this deployment stands.

use std::sync::Arc;

use crate::domain::Limits;
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

/// The table and the settings. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    /// The table.
    pub store: Store,
    /// The deployment's settings.
    pub settings: Arc<Settings>,
}
