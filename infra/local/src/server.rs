//! One server: table, functions, gateway and pump, started together and stopped in good order.

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
use imageshare::table::StorageFault;
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

/// When expired items are deleted for the first time, and how often after that.
const FIRST_CLEANUP_DELAY: Duration = Duration::from_mins(1);
const CLEANUP_INTERVAL: Duration = Duration::from_hours(1);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken, not ours, or not an address.
    #[error("cannot listen on {address}: {}; choose another with --listen", reason(.source))]
    Listen {
        /// What was asked for.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The address of the metrics is.
    #[error("cannot listen on {address}: {}; choose another with --metrics", reason(.source))]
    Metrics {
        /// What was asked for.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// There is no temporary directory for the signing key.
    #[error("cannot make a temporary directory: {0}")]
    TemporaryDirectory(io::Error),
    /// There is no signing key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The signing key is not accepted.
    #[error("the signing key cannot be used: {0}")]
    KeySet(#[from] imageshare::auth::BadKeySet),
    /// The master keys are not accepted.
    #[error("the master keys (master-keys.txt in the data directory) cannot be used: {0}")]
    MasterKeys(#[from] BadMasterKeys),
    /// Tokens of others cannot be checked.
    #[error(transparent)]
    Issuers(#[from] IssuersError),
    /// The table cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// How far the clock has come cannot be read.
    #[error("the table cannot be read: {0}")]
    Clock(StoreError),
    /// The routes do not fit the functions.
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
    /// Removed at the end.
    _temporary: Option<TempDir>,
}

impl Server {
    /// Starts a server; when this returns it answers requests.
    ///
    /// # Errors
    /// Says what is in the way.
    pub async fn start(arguments: &ServeArguments) -> Result<Self, StartError> {
        let temporary = if arguments.memory { Some(create_temporary_directory()?) } else { None };
        let key_directory = temporary.as_ref().map_or(arguments.data.as_path(), TempDir::path).to_owned();
        // The address first: who started a second server by mistake reads about that, not about its data.
        let (listener, address) = listen(&arguments.listen).await?;
        let metrics_listener = listen_for_metrics(arguments.metrics.as_deref()).await?;
        let (key, masters) = (SigningKey::open_or_create(&key_directory)?, open_master_keys(&key_directory)?);
        let table = Arc::new(EmbeddedTable::open((!arguments.memory).then_some(&arguments.data))?);

        let (clock, metrics) = (Clock::for_server(), Arc::new(Metrics::default()));
        let service = |lane| {
            let store = Store::new(metrics.counted_table(table.lane(lane), lane), clock.clone());
            App { store, settings: Arc::new(settings(arguments)) }
        };
        let requests = service(Lane::Request);
        let time = ClockKeeper::resume(requests.store.clone()).await;
        let time = time.map_err(|problem| clock_read_error(problem, &arguments.data))?;
        let time = Arc::new(time);
        let expected = ExpectedClaims { issuer: Some(ISSUER.to_owned()), ..ExpectedClaims::default() };
        let authenticator = Authenticator::from_jwks(key.jwks(), expected)?;
        let authenticator = authenticator.with_master_keys(MasterKeys::parse(&masters)?);
        let authenticator = arguments.issuers.add_to(authenticator)?;
        authenticator.prefetch_keys().await;

        let functions = functions::handlers(HttpFunction::new(requests, authenticator))
            .with_before_hook(begin_request_hook(&time));
        let domain = domain_name(arguments, address);
        let (stop, stopped) = watch::channel(false);
        let gateway = Gateway::new(OPENAPI, &functions, health_check(&table, stopped.clone()), domain)?;
        let gateway = gateway.with_metrics(Arc::clone(&metrics));

        let stopped_time = stopped.clone();
        let worker = Arc::new(JobWorker { app: service(Lane::Worker) });
        let open_work = worker.app.store.clone();
        let metrics_address = metrics_listener.as_ref().map(|(_, address)| *address);
        let metrics_stop = stop_requested(stopped.clone());
        let (region, work, pump_stop) =
            (arguments.region.clone(), table.work_notify(), stop_requested(stopped.clone()));
        Ok(Self {
            address,
            metrics_address,
            key_directory,
            stop,
            gateway: tokio::spawn(gateway::serve(listener, Arc::new(gateway), stop_requested(stopped))),
            dispatcher: tokio::spawn(async move {
                unblock_queues(&worker.app).await;
                dispatcher::run(worker, &work, region, pump_stop).await;
            }),
            cleanup: tokio::spawn(run_cleanup(Arc::clone(&table))),
            clock_keeper: tokio::spawn(async move { time.run(stop_requested(stopped_time)).await }),
            metrics: metrics_listener.map(|(listener, _)| {
                tokio::spawn(metrics::serve(listener, metrics, open_work, metrics_stop))
            }),
            table,
            _temporary: temporary,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it tells its metrics, if it does.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The directory with its signing key.
    pub fn key_directory(&self) -> &Path {
        &self.key_directory
    }

    /// Its table, for looking behind the service's back.
    pub fn table(&self) -> &EmbeddedTable {
        &self.table
    }

    /// Stops: accepts no more requests, finishes what has begun, and closes the table.
    pub async fn stop(self) {
        // Both have receivers, which live as long as their tasks.
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

/// The host name of this server where a request names none.
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

fn begin_request_hook(time: &Arc<ClockKeeper>) -> BeforeHook {
    let time = Arc::clone(time);
    Arc::new(move || {
        let time = Arc::clone(&time);
        Box::pin(async move { time.begin_request().await })
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

/// How the service is with a table that has that problem, and what an operator can do.
fn health_from_error(problem: HealthError) -> Health {
    match problem {
        HealthError::Unresponsive => {
            Health::Down("The table does not answer. Look at the server's log, and restart it.")
        }
        HealthError::Storage(StorageFault::Full) => {
            Health::Degraded("The disk is full: what is there can be read, and nothing stored. Make room.")
        }
        HealthError::Storage(StorageFault::Damaged) => Health::Down(
            "The database is damaged. The server's log says where; stop the server, and restore a backup.",
        ),
        HealthError::Storage(StorageFault::Missing) => Health::Down(
            "The data directory was removed or replaced. Nothing is stored: put it back, or stop the server and restore a backup.",
        ),
        HealthError::Storage(StorageFault::Failing) => {
            Health::Down("The disk cannot be read or written. Look at the server's log, and at the disk.")
        }
    }
}

/// Why a server does not start whose table cannot be read.
fn clock_read_error(problem: StoreError, directory: &Path) -> StartError {
    match problem {
        StoreError::Storage { fault, detail } => {
            OpenError::Storage { fault, directory: directory.to_owned(), detail }.into()
        }
        other => StartError::Clock(other),
    }
}

/// Gives their turns to jobs that wait in line for one that has ended: the last server was stopped before it could.
async fn unblock_queues(app: &App) {
    if let Err(problem) = usecases::unblock_queues(app).await {
        tracing::warn!(%problem, "jobs that wait in line could not be looked after; the sweep tries it in a minute");
    }
}

async fn stop_requested(mut stopped: watch::Receiver<bool>) {
    // An error means that the server was dropped, which is a stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn run_cleanup(table: Arc<EmbeddedTable>) {
    let mut turns = interval_at(Instant::now() + FIRST_CLEANUP_DELAY, CLEANUP_INTERVAL);
    // One that takes longer than an hour is followed by a rest.
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        match table.remove_expired().await {
            Ok(CleanupReport { items: 0, freed_bytes: 0, .. }) => {}
            Ok(CleanupReport { items, freed_bytes, .. }) => {
                tracing::info!(items, freed_bytes, "expired items were deleted");
            }
            Err(problem) => {
                tracing::error!(%problem, "expired items could not be deleted; it is tried again in an hour");
            }
        }
    }
}
