//! A server: starts table, functions, gateway and dispatcher together, and stops them gracefully.

mod server_keys;
mod server_table;
mod start_error;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::Uri;
use imageshare::auth::{Authenticator, ExpectedClaims};
use imageshare::domain::Limits;
use imageshare::events::Bus;
use imageshare::function::HttpFunction;
use imageshare::store::Store;
use imageshare::table::Table;
use imageshare::{App, Settings, WaitingReads};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::server_keys::ServerKeys;
use self::server_table::ServerTable;
pub use self::start_error::StartError;
use crate::bus::LocalBus;
use crate::cli::ServeArguments;
use crate::clock_keeper::ClockKeeper;
use crate::events_api::EventsApi;
use crate::functions;
use crate::gateway::{self, BeforeHook, Gateway, Health, HealthCheck, OPENAPI};
use crate::keys::ISSUER;
use crate::metrics::{self, Metrics};
use crate::remote;
use crate::table::{EmbeddedTable, Lane};

/// A running server.
pub struct Server {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    key_directory: Option<PathBuf>,
    signs_tokens: bool,
    region: String,
    stop: watch::Sender<bool>,
    gateway: JoinHandle<()>,
    dispatcher: JoinHandle<()>,
    effects: JoinHandle<()>,
    cleanup: JoinHandle<()>,
    bus: JoinHandle<()>,
    clock_keeper: Option<JoinHandle<()>>,
    metrics: Option<JoinHandle<()>>,
    table: Arc<ServerTable>,
    /// Removed when the server is dropped.
    _temporary: Option<TempDir>,
}

impl Server {
    /// Starts a server. It accepts requests when this returns.
    ///
    /// # Errors
    /// [`StartError`], with what the operator can do.
    pub async fn start(arguments: &ServeArguments) -> Result<Self, StartError> {
        Self::start_over(arguments, |_, table| table, |bus| bus).await
    }

    /// The same over a table that `wrap` returns for each lane's own, and with events published on what `wrap_bus` returns
    /// for the server's bus. For tests.
    ///
    /// # Errors
    /// As for [`Self::start`].
    pub async fn start_over(
        arguments: &ServeArguments,
        wrap: impl Fn(Lane, Arc<dyn Table>) -> Arc<dyn Table>,
        wrap_bus: impl FnOnce(Arc<dyn Bus>) -> Arc<dyn Bus>,
    ) -> Result<Self, StartError> {
        let temporary = if arguments.memory { Some(create_temporary_directory()?) } else { None };
        // The address comes first: if a second server is started by mistake, the error is about the address.
        let (listener, address) = listen(&arguments.listen).await?;
        let (metrics_listener, metrics_address) =
            listen_for_metrics(arguments.metrics.as_deref()).await?.unzip();
        let (stop, stopped) = watch::channel(false);
        let temporary_path = temporary.as_ref().map(TempDir::path);
        let core = Core::open(arguments, temporary_path, wrap, WaitingReads::new(stopped.clone())).await?;

        let stopping = || stop_requested(stopped.clone());
        let health = health_check(&core.table, &core.request_app.store, stopped.clone());
        let function = HttpFunction::new(core.request_app, core.authenticator);
        let bus = Arc::new(LocalBus::new(core.region.clone()));
        let events = Arc::new(EventsApi::new(function.clone(), Arc::clone(&bus)));
        let functions = functions::handlers(function).with(gateway::EVENTS, move |request| {
            let events = Arc::clone(&events);
            async move { events.handle(request).await }
        });
        let functions = match &core.clock_keeper {
            Some(keeper) => functions.with_before_hook(begin_request_hook(keeper)),
            None => functions,
        };
        let gateway = Gateway::new(OPENAPI, &functions, health, domain_name(arguments, address))?;
        let gateway = Arc::new(gateway.with_metrics(Arc::clone(&core.metrics)));

        let (table, worker, region) = (core.table, core.worker_app, core.region);
        Ok(Self {
            gateway: tokio::spawn(gateway::serve(listener, gateway, stopping())),
            metrics: metrics_listener.map(|listener| {
                tokio::spawn(metrics::serve(listener, core.metrics, worker.store.clone(), stopping()))
            }),
            clock_keeper: core.clock_keeper.map(|keeper| {
                let stopping = stopping();
                tokio::spawn(async move { keeper.run(stopping).await })
            }),
            cleanup: spawn_with(&table, |table| async move { table.clean_up().await }),
            effects: {
                let (app, region, stopping) = (worker.clone(), region.clone(), stopping());
                let bus = wrap_bus(Arc::clone(&bus) as Arc<dyn Bus>);
                spawn_with(&table, |table| async move {
                    table.carry_out_effects(app, bus, region, stopping).await;
                })
            },
            dispatcher: {
                let (region, stopping) = (region.clone(), stopping());
                spawn_with(&table, |table| async move { table.dispatch(worker, region, stopping).await })
            },
            bus: {
                let stopping = stopping();
                tokio::spawn(async move {
                    stopping.await;
                    bus.close();
                })
            },
            signs_tokens: core.keys.signing.is_some(),
            key_directory: core.keys.directory,
            address,
            metrics_address,
            region,
            stop,
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

    /// The directory of its keys: the data directory, that of `--keys`, or a temporary one for a server in memory.
    pub fn key_directory(&self) -> Option<&Path> {
        self.key_directory.as_deref()
    }

    /// Whether it has a signing key, so that it accepts the tokens of `imageshare token`.
    pub fn signs_tokens(&self) -> bool {
        self.signs_tokens
    }

    /// Its region, as clients use it.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Where its table is, if that is in DynamoDB.
    pub fn table_place(&self) -> Option<&str> {
        self.table.place()
    }

    /// Its embedded table, for tests that bypass the service.
    pub fn embedded_table(&self) -> Option<&EmbeddedTable> {
        self.table.embedded()
    }

    /// Stops: accepts no more requests, finishes running ones within some 30 seconds, and closes the table.
    pub async fn stop(self) {
        // The tasks own the receivers; one that has ended needs no signal, and one that panicked is logged.
        let _ = self.stop.send(true);
        let _ = self.bus.await;
        let _ = self.gateway.await;
        let _ = self.dispatcher.await;
        let _ = self.effects.await;
        for task in [self.clock_keeper, self.metrics].into_iter().flatten() {
            let _ = task.await;
        }
        self.cleanup.abort();
        let _ = self.cleanup.await;
        self.table.close().await;
    }
}

/// What a server consists of before it serves.
struct Core {
    table: Arc<ServerTable>,
    keys: ServerKeys,
    region: String,
    metrics: Arc<Metrics>,
    request_app: App,
    worker_app: App,
    clock_keeper: Option<Arc<ClockKeeper>>,
    authenticator: Authenticator,
}

impl Core {
    /// Opens the keys and the table of a server; the keys of a server in memory are in `temporary`.
    async fn open(
        arguments: &ServeArguments,
        temporary: Option<&Path>,
        wrap: impl Fn(Lane, Arc<dyn Table>) -> Arc<dyn Table>,
        waiting_reads: WaitingReads,
    ) -> Result<Self, StartError> {
        let keys = match &arguments.remote.table {
            Some(_) => ServerKeys::shared(arguments)?,
            None => ServerKeys::open_or_create(temporary.unwrap_or(&arguments.data))?,
        };
        let table = Arc::new(ServerTable::open(arguments).await?);
        let region = arguments.region.clone().unwrap_or_else(|| table.default_region().to_owned());
        let (clock, metrics) = (table.clock(), Arc::new(Metrics::default()));
        let settings = Arc::new(settings(arguments, &region, waiting_reads));
        let app = |lane| {
            let counted = metrics.counted_table(wrap(lane, table.lane(lane)), lane);
            App { store: Store::new(counted, clock.clone()), settings: Arc::clone(&settings) }
        };
        let (request_app, worker_app) = (app(Lane::Request), app(Lane::Worker));
        if table.embedded().is_none() {
            remote::check_master_keys(&request_app.store, &keys.master).await?;
        }
        let clock_keeper = keep_clock(&table, &request_app.store, arguments).await?;
        let authenticator = authenticator(&keys, arguments)?;
        authenticator.prefetch_keys().await;
        Ok(Self { table, keys, region, metrics, request_app, worker_app, clock_keeper, authenticator })
    }
}

/// Spawns a task that uses the table.
fn spawn_with<F>(table: &Arc<ServerTable>, task: impl FnOnce(Arc<ServerTable>) -> F) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    tokio::spawn(task(Arc::clone(table)))
}

/// Keeps the clock of an embedded table across restarts. Several servers need no such thing: the stamps that they read
/// order their requests, and their clocks may differ.
async fn keep_clock(
    table: &ServerTable,
    store: &Store,
    arguments: &ServeArguments,
) -> Result<Option<Arc<ClockKeeper>>, StartError> {
    if table.embedded().is_none() {
        return Ok(None);
    }
    let keeper = ClockKeeper::resume(store.clone()).await;
    let keeper = keeper.map_err(|problem| StartError::clock_read(problem, &arguments.data))?;
    Ok(Some(Arc::new(keeper)))
}

/// Accepts the tokens of the server's own keys, if it has some, and those of the other issuers.
fn authenticator(keys: &ServerKeys, arguments: &ServeArguments) -> Result<Authenticator, StartError> {
    let expected = ExpectedClaims { issuer: Some(ISSUER.to_owned()), ..ExpectedClaims::default() };
    let authenticator = match &keys.signing {
        Some(key) => Authenticator::from_jwks(key.jwks(), expected)?,
        None => Authenticator::without_keys(),
    };
    Ok(arguments.issuers.add_to(authenticator.with_master_keys(keys.master.clone()))?)
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

fn settings(arguments: &ServeArguments, region: &str, waiting_reads: WaitingReads) -> Settings {
    Settings {
        region: region.to_owned(),
        public_url: arguments.public_url.as_ref().map(ToString::to_string),
        directory_is_complete: arguments.directory_complete,
        limits: arguments.limits.iter().copied().collect::<Limits>(),
        waiting_reads: Some(waiting_reads),
    }
}

fn begin_request_hook(clock_keeper: &Arc<ClockKeeper>) -> BeforeHook {
    let clock_keeper = Arc::clone(clock_keeper);
    Arc::new(move || {
        let clock_keeper = Arc::clone(&clock_keeper);
        Box::pin(async move { clock_keeper.begin_request().await })
    })
}

fn health_check(table: &Arc<ServerTable>, store: &Store, stopped: watch::Receiver<bool>) -> HealthCheck {
    let (table, store) = (Arc::clone(table), store.clone());
    Arc::new(move || {
        let (table, store, is_stopping) = (Arc::clone(&table), store.clone(), *stopped.borrow());
        Box::pin(async move {
            match table.health(&store).await {
                Health::Healthy if is_stopping => Health::Stopping,
                health => health,
            }
        })
    })
}

async fn stop_requested(mut stopped: watch::Receiver<bool>) {
    // An error means that the server was dropped, which counts as a stop.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
