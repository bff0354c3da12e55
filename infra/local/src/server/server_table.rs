//! The table of a server, embedded or in DynamoDB, and what depends on which it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use imageshare::App;
use imageshare::domain::Clock;
use imageshare::events::Bus;
use imageshare::store::Store;
use imageshare::table::{StorageFault, Table};
use imageshare::usecases;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::start_error::StartError;
use crate::cli::ServeArguments;
use crate::dispatcher::{self, JobWorker};
use crate::effects;
use crate::gateway::Health;
use crate::remote::{RemoteHealthError, RemoteTable};
use crate::table::{CleanupReport, EmbeddedTable, HealthError, Lane};

/// When expired items are deleted for the first time, and the interval after that.
const FIRST_CLEANUP_DELAY: Duration = Duration::from_mins(1);
const CLEANUP_INTERVAL: Duration = Duration::from_hours(1);

/// The region of a server that was given none, and whose table has none.
const LOCAL_REGION: &str = "local";

/// The table of a server.
pub(super) enum ServerTable {
    /// In this process, for this server alone.
    Embedded(EmbeddedTable),
    /// In DynamoDB, for any number of servers.
    Remote(Box<RemoteTable>),
}

impl ServerTable {
    /// Opens the table that the arguments name.
    ///
    /// # Errors
    /// [`StartError`] if it cannot be used.
    pub(super) async fn open(arguments: &ServeArguments) -> Result<Self, StartError> {
        let remote = &arguments.remote;
        let Some(table) = &remote.table else {
            let directory: Option<&Path> = (!arguments.memory).then_some(&arguments.data);
            return Ok(Self::Embedded(EmbeddedTable::open(directory)?));
        };
        let table =
            RemoteTable::open(table, &remote.endpoint, arguments.region.as_deref(), remote.effects).await?;
        Ok(Self::Remote(Box::new(table)))
    }

    /// The server's clock: of the only process, or of one of several.
    pub(super) fn clock(&self) -> Clock {
        match self {
            Self::Embedded(_) => Clock::for_server(),
            Self::Remote(_) => Clock::for_function(),
        }
    }

    /// The region that clients are told, unless the server was given one.
    pub(super) fn default_region(&self) -> &str {
        match self {
            Self::Embedded(_) => LOCAL_REGION,
            Self::Remote(table) => table.region(),
        }
    }

    /// Where the table is, for the log; `None` if it is embedded.
    pub(super) fn place(&self) -> Option<&str> {
        match self {
            Self::Embedded(_) => None,
            Self::Remote(table) => Some(table.place()),
        }
    }

    /// The table, for calls of a lane.
    pub(super) fn lane(&self, lane: Lane) -> Arc<dyn Table> {
        match self {
            Self::Embedded(table) => Arc::new(table.lane(lane)),
            Self::Remote(table) => Arc::new(table.table()),
        }
    }

    /// The embedded table.
    pub(super) fn embedded(&self) -> Option<&EmbeddedTable> {
        match self {
            Self::Embedded(table) => Some(table),
            Self::Remote(_) => None,
        }
    }

    /// The state of the table, with what an operator can do.
    pub(super) async fn health(&self, store: &Store) -> Health {
        match self {
            Self::Embedded(table) => table.health().await.map_or_else(embedded_health, |()| Health::Healthy),
            Self::Remote(table) => table.health(store).await.map_or_else(remote_health, |()| Health::Healthy),
        }
    }

    /// Executes open work until `stop` is ready. First starts the jobs that are held for one that has ended, in case
    /// a server stopped before it did so.
    pub(super) async fn dispatch(&self, app: App, region: String, stop: impl Future<Output = ()>) {
        if let Err(problem) = usecases::unblock_queues(&app).await {
            tracing::warn!(%problem, "held jobs could not be unblocked; the sweep retries in a minute");
        }
        match self {
            Self::Embedded(table) => {
                let worker = Arc::new(JobWorker { app });
                dispatcher::run(worker, &table.work_notify(), region, stop).await;
            }
            Self::Remote(table) => table.dispatch(app, region, stop).await,
        }
    }

    /// Carries out what follows from changes until `stop` is ready.
    pub(super) async fn carry_out_effects(
        &self,
        app: App,
        bus: Arc<dyn Bus>,
        region: String,
        stop: impl Future<Output = ()>,
    ) {
        match self {
            Self::Embedded(table) => effects::run(table, app, bus, region, stop).await,
            Self::Remote(table) => table.carry_out_effects(app, bus, stop).await,
        }
    }

    /// Deletes expired items of the embedded table, every hour. In DynamoDB they expire by themselves.
    pub(super) async fn clean_up(&self) {
        let Some(table) = self.embedded() else { return };
        let mut interval = interval_at(Instant::now() + FIRST_CLEANUP_DELAY, CLEANUP_INTERVAL);
        // A cleanup that takes longer than an hour is followed by a full interval.
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            match table.remove_expired().await {
                Ok(CleanupReport { items: 0, freed_bytes: 0, .. }) => {}
                Ok(CleanupReport { items, freed_bytes, .. }) => {
                    tracing::info!(items, freed_bytes, "expired items were deleted");
                }
                Err(problem) => {
                    tracing::error!(%problem, "expired items could not be deleted; the next cleanup, in an hour, retries");
                }
            }
        }
    }

    /// Accepts no more calls.
    pub(super) async fn close(&self) {
        if let Some(table) = self.embedded() {
            table.close().await;
        }
    }
}

fn embedded_health(problem: HealthError) -> Health {
    match problem {
        HealthError::Unresponsive => {
            Health::Down("The table does not respond. Look at the server's log, and restart it.")
        }
        HealthError::Storage(StorageFault::Full) => {
            Health::Degraded("The disk is full: reads work, and nothing is stored. Make room.")
        }
        HealthError::Storage(StorageFault::Damaged) => Health::Down(
            "The database is damaged; the server's log says where. Stop the server and restore a backup.",
        ),
        HealthError::Storage(StorageFault::Missing) => Health::Down(
            "The data directory was removed or replaced, so nothing is stored. Put it back, or stop the server and \
             restore a backup.",
        ),
        HealthError::Storage(StorageFault::Failing) => {
            Health::Down("The disk cannot be read or written. Look at the server's log, and at the disk.")
        }
    }
}

fn remote_health(problem: RemoteHealthError) -> Health {
    match problem {
        RemoteHealthError::Unresponsive => Health::Down(
            "DynamoDB does not respond within a second, or throttles. Look at the server's log, and at the network.",
        ),
        RemoteHealthError::Refused => Health::Down(
            "DynamoDB refuses the server's calls. Look at the server's log, at its credentials, and whether the table \
             exists.",
        ),
    }
}
