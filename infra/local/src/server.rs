//! A server: starts table, functions, gateway and dispatcher together, and stops them gracefully.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use imageshare::auth::{Authenticator, BadMasterKeys, ExpectedClaims, MasterKeys};
use imageshare::domain::{Clock, Limits};
use imageshare::function::HttpFunction;
use imageshare::store::{Store, StoreError};
use imageshare::table::{StorageFault, Table};
use imageshare::{App, Settings, usecases};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::cli::ServeArguments;
use crate::clock_keeper::ClockKeeper;
use crate::dispatcher::{self, JobWorker};
use crate::functions;
use crate::gateway::{self, BeforeHook, Gateway, Health, HealthCheck, OPENAPI, RoutesError};
use crate::issuers::IssuersError;
use crate::keys::{ISSUER, KeyError, SigningKey, open_master_keys};
use crate::metrics::{self, Metrics};
use crate::table::{CleanupReport, EmbeddedTable, HealthError, Lane, OpenError};

/// When expired items are deleted for the first time, and the interval after that.
const FIRST_CLEANUP_DELAY: Duration = Duration::from_mins(1);
const CLEANUP_INTERVAL: Duration = Duration::from_hours(1);

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is in use, not of this machine, or invalid.
    #[error("cannot listen on {address}: {}; choose another with --listen", reason(.source))]
    Listen {
        /// The address of the argument.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// The same for the address of the metrics.
    #[error("cannot listen on {address}: {}; choose another with --metrics", reason(.source))]
    Metrics {
        /// The address of the argument.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// A server in memory cannot create a temporary directory for its keys.
    #[error("cannot create a temporary directory: {0}")]
    TemporaryDirectory(io::Error),
    /// A key cannot be read or created.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signing key is invalid.
    #[error("the signing key cannot be used: {0}")]
    KeySet(#[from] imageshare::auth::BadKeySet),
    /// The master keys are invalid.
    #[error("the master keys (master-keys.txt in the data directory) cannot be used: {0}")]
    MasterKeys(#[from] BadMasterKeys),
    /// The settings of another issuer are invalid.
    #[error(transparent)]
    Issuers(#[from] IssuersError),
    /// The table cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The saved clock cannot be read or written.
    #[error("the table cannot be read: {0}")]
    Clock(StoreError),
    /// The routes do not match the functions.
    #[error(transparent)]
    Routes(#[from] RoutesError),
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "address in use".to_owned(),
        io::ErrorKind::AddrNotAvailable => "no such address on this machine".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::InvalidInput => "expected HOST:PORT".to_owned(),
        _ => error.to_string(),
    }
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    key_directory: PathBuf,
    stop: watch::Sender<bool>,
    gateway: JoinHandle<()>,
    dispatcher: JoinHandle<()>,
    cleanup: JoinHandle<()>,
    clock_keeper: JoinHandle<()>,
    metrics: Option<JoinHandle<()>>,
    table: Arc<EmbeddedTable>,
    /// Removed when the server is dropped.
    _temporary: Option<TempDir>,
}

impl Server {
    /// Starts a server. It accepts requests when this returns.
    ///
    /// # Errors
    /// [`StartError`], with what the operator can do.
    pub async fn start(arguments: &ServeArguments) -> Result<Self, StartError> {
        Self::start_over(arguments, |table| table).await
    }

    /// The same over a table that `wrap` returns for each lane's own. For tests.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub async fn start_over(
        arguments: &ServeArguments,
        wrap: impl Fn(Arc<dyn Table>) -> Arc<dyn Table>,
    ) -> Result<Self, StartError> {
        let temporary = if arguments.memory { Some(create_temporary_directory()?) } else { None };
        let key_directory = temporary.as_ref().map_or(arguments.data.as_path(), TempDir::path).to_owned();
        // The address comes first: if a second server is started by mistake, the error is about the address.
        let (listener, address) = listen(&arguments.listen).await?;
        let metrics_listener = listen_for_metrics(arguments.metrics.as_deref()).await?;
        let (key, masters) = (SigningKey::open_or_create(&key_directory)?, open_master_keys(&key_directory)?);
        let table = Arc::new(EmbeddedTable::open((!arguments.memory).then_some(&arguments.data))?);

        let (clock, metrics) = (Clock::for_server(), Arc::new(Metrics::default()));
        let app = |lane| {
            let wrapped = wrap(Arc::new(table.lane(lane)));
            let store = Store::new(metrics.counted_table(wrapped, lane), clock.clone());
            App { store, settings: Arc::new(settings(arguments)) }
        };
        let request_app = app(Lane::Request);
        let clock_keeper = ClockKeeper::resume(request_app.store.clone()).await;
        let clock_keeper = clock_keeper.map_err(|problem| clock_read_error(problem, &arguments.data))?;
        let clock_keeper = Arc::new(clock_keeper);
        let expected = ExpectedClaims { issuer: Some(ISSUER.to_owned()), ..ExpectedClaims::default() };
        let authenticator = Authenticator::from_jwks(key.jwks(), expected)?;
        let authenticator = authenticator.with_master_keys(MasterKeys::parse(&masters)?);
        let authenticator = arguments.issuers.add_to(authenticator)?;
        authenticator.prefetch_keys().await;

        let functions = functions::handlers(HttpFunction::new(request_app, authenticator))
            .with_before_hook(begin_request_hook(&clock_keeper));
        let domain = domain_name(arguments, address);
        let (stop, stopped) = watch::channel(false);
        let gateway = Gateway::new(OPENAPI, &functions, health_check(&table, stopped.clone()), domain)?;
        let gateway = gateway.with_metrics(Arc::clone(&metrics));

        let clock_stop = stop_requested(stopped.clone());
        let worker = Arc::new(JobWorker { app: app(Lane::Worker) });
        let worker_store = worker.app.store.clone();
        let metrics_address = metrics_listener.as_ref().map(|(_, address)| *address);
        let metrics_stop = stop_requested(stopped.clone());
        let (region, work_notify, dispatcher_stop) =
            (arguments.region.clone(), table.work_notify(), stop_requested(stopped.clone()));
        Ok(Self {
            address,
            metrics_address,
            key_directory,
            stop,
            gateway: tokio::spawn(gateway::serve(listener, Arc::new(gateway), stop_requested(stopped))),
            dispatcher: tokio::spawn(async move {
                unblock_queues(&worker.app).await;
                dispatcher::run(worker, &work_notify, region, dispatcher_stop).await;
            }),
            cleanup: tokio::spawn(run_cleanup(Arc::clone(&table))),
            clock_keeper: tokio::spawn(async move { clock_keeper.run(clock_stop).await }),
            metrics: metrics_listener.map(|(listener, _)| {
                tokio::spawn(metrics::serve(listener, metrics, worker_store, metrics_stop))
            }),
            table,
            _temporary: temporary,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its metrics, if it serves them.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The directory of its keys: the data directory, or a temporary one for a server in memory.
    pub fn key_directory(&self) -> &Path {
        &self.key_directory
    }

    /// Its table, for tests that bypass the service.
    pub fn table(&self) -> &EmbeddedTable {
        &self.table
    }

    /// Stops: accepts no more requests, finishes running ones within some 30 seconds, and closes the table.
    pub async fn stop(self) {
        // The tasks own the receivers; one that has ended needs no signal, and one that panicked is logged.
        let _ = self.stop.send(true);
        let _ = self.gateway.await;
        let _ = self.dispatcher.await;
        let _ = self.clock_keeper.await;
        if let Some(metrics) = self.metrics {
            let _ = metrics.await;
        }
        self.cleanup.abort();
        let _ = self.cleanup.await;
        self.table.close().await;
    }
}

/// The server's host name for requests without `Host`.
fn domain_name(arguments: &ServeArguments, address: SocketAddr) -> String {
    match (arguments.public_url.as_ref().and_then(Uri::host), address.ip()) {
        (Some(host), _) => host.to_owned(),
        (None, IpAddr::V4(ip)) => ip.to_string(),
        (None, IpAddr::V6(ip)) => format!("[{ip}]"),
    }
}

async fn listen_for_metrics(address: Option<&str>) -> Result<Option<(TcpListener, SocketAddr)>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let listening = listen(address).await.map(Some);
    listening.map_err(|problem| match problem {
        StartError::Listen { address, source } => StartError::Metrics { address, source },
        other => other,
    })
}

async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed = |source| StartError::Listen { address: address.to_owned(), source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    Ok((listener, local))
}

fn create_temporary_directory() -> Result<TempDir, StartError> {
    tempfile::Builder::new().prefix("imageshare-").tempdir().map_err(StartError::TemporaryDirectory)
}

fn settings(arguments: &ServeArguments) -> Settings {
    Settings {
        region: arguments.region.clone(),
        public_url: arguments.public_url.as_ref().map(ToString::to_string),
        directory_is_complete: arguments.directory_complete,
        limits: arguments.limits.iter().copied().collect::<Limits>(),
    }
}

fn begin_request_hook(clock_keeper: &Arc<ClockKeeper>) -> BeforeHook {
    let clock_keeper = Arc::clone(clock_keeper);
    Arc::new(move || {
        let clock_keeper = Arc::clone(&clock_keeper);
        Box::pin(async move { clock_keeper.begin_request().await })
    })
}

fn health_check(table: &Arc<EmbeddedTable>, stopped: watch::Receiver<bool>) -> HealthCheck {
    let table = Arc::clone(table);
    Arc::new(move || {
        let (table, is_stopping) = (Arc::clone(&table), *stopped.borrow());
        Box::pin(async move {
            match table.health().await {
                Ok(()) if is_stopping => Health::Stopping,
                Ok(()) => Health::Healthy,
                Err(problem) => health_from_error(problem),
            }
        })
    })
}

/// The state of a service whose table has that problem, with what an operator can do.
fn health_from_error(problem: HealthError) -> Health {
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

/// The error of a server whose table cannot be read.
fn clock_read_error(problem: StoreError, directory: &Path) -> StartError {
    match problem {
        StoreError::Storage { fault, detail } => {
            OpenError::Storage { fault, directory: directory.to_owned(), detail }.into()
        }
        other => StartError::Clock(other),
    }
}

/// Starts the jobs that are held for a job that has ended, in case the last server stopped before it did so.
async fn unblock_queues(app: &App) {
    if let Err(problem) = usecases::unblock_queues(app).await {
        tracing::warn!(%problem, "held jobs could not be unblocked; the sweep retries in a minute");
    }
}

async fn stop_requested(mut stopped: watch::Receiver<bool>) {
    // An error means that the server was dropped, which counts as a stop.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn run_cleanup(table: Arc<EmbeddedTable>) {
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
