//! `imageshare`: serves the APIs, over an embedded table on one machine, or over a table in DynamoDB beside other
//! servers. Prints tokens for that server and links to its console, asks it for its health, backs up and checks its data, creates the table in
//! DynamoDB and the keys of its servers. It also manages the access keys and the directory of tenants of any
//! deployment.

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use imageshare::domain::Limits;
use imageshare_local::backup::BackupError;
use imageshare_local::cli::{
    self, CheckArguments, Command, ConsoleArguments, EventsArguments, HealthArguments, KeysCommand,
    ServeArguments, TableCommand, TokenArguments,
};
use imageshare_local::events::EventsError;
use imageshare_local::health::HealthReport;
use imageshare_local::keys::{SigningKey, open_master_keys};
use imageshare_local::progress::{ProgressReporter, Stage};
use imageshare_local::remote::create;
use imageshare_local::server::Server;
use imageshare_local::signals::Signals;
use imageshare_local::{access_key, backup, console_link, descriptors, events, health, logging, tenants};
use sd_notify::NotifyState;

/// A third of a request's processor time goes into allocations, so a fast allocator pays. The feature `override` makes
/// the embedded database, which is C, use it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// More threads would be idle: the table executes one call at a time.
const MAX_WORKER_THREADS: usize = 4;

fn main() -> ExitCode {
    let command = match cli::parse(env::args_os()) {
        Ok(command) => command,
        // A request for help is an error too; its exit code is 0.
        Err(problem) => problem.exit(),
    };
    let result = match command {
        Command::Serve(arguments) => serve(&arguments),
        Command::Health(arguments) => return check_health(&arguments),
        Command::Table(TableCommand::Create(arguments)) => {
            let progress = ProgressReporter::on_stderr();
            print(create::create(&arguments, &|stage| progress.set(stage)))
        }
        Command::Keys(KeysCommand::Create { keys }) => create_keys(&keys),
        Command::Token(arguments) => token(arguments),
        Command::Console(arguments) => console_link(&arguments),
        Command::AccessKey(command) => print(access_key::run(&command)),
        Command::Backup(arguments) => {
            run_maintenance(|report| backup::backup(&arguments.data, &arguments.to, report))
        }
        Command::Restore(arguments) => {
            run_maintenance(|report| backup::restore(&arguments.from, &arguments.data, report))
        }
        Command::Check(arguments) => check(&arguments),
        Command::Tenants(command) => print(tenants::run(&command)),
        Command::Events(arguments) => follow_events(&arguments),
        Command::Completions { shell } => {
            cli::write_completions(shell, &mut io::stdout()).map_err(Into::into)
        }
        Command::Man { command } => cli::write_manual_page(&command, &mut io::stdout()).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("imageshare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &ServeArguments) -> Result<(), Box<dyn Error>> {
    logging::init();
    descriptors::raise_limit();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKER_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let result = runtime.block_on(serve_until_stopped(arguments));
    // After a second signal, do not wait for tasks that still run.
    runtime.shutdown_background();
    result
}

/// Serves until a signal, then stops gracefully.
///
/// # Errors
/// The server does not start, or a second signal came before the stop was complete.
async fn serve_until_stopped(arguments: &ServeArguments) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    let server = Server::start(arguments).await?;
    announce(&server, arguments)?;
    notify_service_manager(NotifyState::Ready);
    let signal = signals.next().await;
    tracing::info!(signal, "stopping; send a second signal to stop at once");
    notify_service_manager(NotifyState::Stopping);
    tokio::select! {
        biased;
        signal = signals.next() => {
            Err(format!("stopped by a second signal, {signal}, before every request had its response").into())
        }
        () = server.stop() => Ok(()),
    }
}

/// Reports that the server is ready: its address on stdout for programs, its settings in the log for people.
fn announce(server: &Server, arguments: &ServeArguments) -> io::Result<()> {
    let keys = server.key_directory().map(|directory| directory.display().to_string());
    let remote = &arguments.remote;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        address = %server.address(),
        public_url = arguments.public_url.as_ref().map(ToString::to_string),
        metrics = server.metrics_address().map(|address| address.to_string()),
        data = keys.as_deref().filter(|_| remote.table.is_none()),
        in_memory = remote.table.is_none().then_some(arguments.memory),
        table = remote.table.as_ref().map(cli::TableName::as_str),
        table_place = server.table_place(),
        keys = keys.as_deref().filter(|_| remote.table.is_some()),
        region = server.region(),
        directory_complete = arguments.directory_complete,
        limits = %arguments.limits.iter().copied().collect::<Limits>(),
        issuers = arguments.issuers.issuer_names(server.signs_tokens()).join(", "),
        "started"
    );
    if let Some(keys) = keys.filter(|_| server.signs_tokens()) {
        tracing::info!("get a token with: imageshare token --data {keys} --project PROJECT");
        tracing::info!(
            "sign in to the console with the link of: imageshare console --data {keys} --project PROJECT"
        );
    }
    // In one write, since a program may read the first line and close the pipe.
    let address = server.address();
    let lines = format!("listening on http://{address}\nthe console is at http://{address}/console\n");
    let mut out = io::stdout();
    out.write_all(lines.as_bytes())?;
    out.flush()
}

/// Tells systemd how far the server is, if it was started by a unit of the type `notify`.
fn notify_service_manager(state: NotifyState) {
    if let Err(problem) = sd_notify::notify(false, &[state]) {
        tracing::warn!(%problem, "the service manager cannot be notified");
    }
}

/// Prints whether a server works; the exit code says it, too.
fn check_health(arguments: &HealthArguments) -> ExitCode {
    let report = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(health::ask(arguments)),
        Err(problem) => HealthReport::NoAnswer(problem.to_string()),
    };
    // The exit code is the result, even if the line cannot be written.
    let _ = writeln!(io::stdout(), "{}", report.line());
    report.exit_code()
}

/// Creates the keys that several servers share, unless they exist.
fn create_keys(directory: &Path) -> Result<(), Box<dyn Error>> {
    SigningKey::open_or_create(directory)?;
    open_master_keys(directory)?;
    writeln!(io::stdout(), "the keys are in {}", directory.display())?;
    Ok(())
}

fn token(arguments: TokenArguments) -> Result<(), Box<dyn Error>> {
    let TokenArguments { principal, roles, ttl, data } = arguments;
    writeln!(io::stdout(), "{}", SigningKey::load(&data)?.sign_token(&principal.token_claims(roles, ttl))?)?;
    Ok(())
}

fn console_link(arguments: &ConsoleArguments) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{}", console_link::link(arguments)?)?;
    Ok(())
}

/// Runs a command that calls a server, and prints its result.
fn print<E: Error + 'static>(command: impl Future<Output = Result<String, E>>) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    write!(io::stdout(), "{}", runtime.block_on(command)?)?;
    Ok(())
}

/// Prints events as they come. A pipe that its reader has closed is the end.
fn follow_events(arguments: &EventsArguments) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(events::run(arguments, &mut io::stdout())) {
        Err(EventsError::Output(problem)) if problem.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Runs a command on a whole database, and returns its result. Reports progress on stderr if the command takes long.
fn run_maintenance<T>(
    command: impl FnOnce(&dyn Fn(Stage)) -> Result<T, BackupError>,
) -> Result<T, Box<dyn Error>> {
    logging::init();
    let progress = ProgressReporter::on_stderr();
    Ok(command(&|stage| progress.set(stage))?)
}

fn check(arguments: &CheckArguments) -> Result<(), Box<dyn Error>> {
    let report = run_maintenance(|report| backup::check(&arguments.data, report))?;
    writeln!(io::stdout(), "{report}")?;
    Ok(())
}
