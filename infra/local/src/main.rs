//! `imageshare`: serves the APIs on one machine, prints tokens for that server, backs up and checks its data. It also
//! manages the access keys and the directory of tenants of any deployment.

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use imageshare::domain::Limits;
use imageshare_local::backup::BackupError;
use imageshare_local::cli::{self, CheckArguments, Command, ServeArguments, TokenArguments};
use imageshare_local::keys::SigningKey;
use imageshare_local::progress::{ProgressReporter, Stage};
use imageshare_local::server::Server;
use imageshare_local::signals::Signals;
use imageshare_local::{access_key, backup, descriptors, logging, tenants};

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
        Command::Token(arguments) => token(arguments),
        Command::AccessKey(command) => print(access_key::run(&command)),
        Command::Backup(arguments) => {
            run_maintenance(|report| backup::backup(&arguments.data, &arguments.to, report))
        }
        Command::Restore(arguments) => {
            run_maintenance(|report| backup::restore(&arguments.from, &arguments.data, report))
        }
        Command::Check(arguments) => check(&arguments),
        Command::Tenants(command) => print(tenants::run(&command)),
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
    let signal = signals.next().await;
    tracing::info!(signal, "stopping; send a second signal to stop at once");
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
    let data = server.key_directory().display();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        address = %server.address(),
        public_url = arguments.public_url.as_ref().map(ToString::to_string),
        metrics = server.metrics_address().map(|address| address.to_string()),
        data = %data,
        in_memory = arguments.memory,
        region = arguments.region,
        directory_complete = arguments.directory_complete,
        limits = %arguments.limits.iter().copied().collect::<Limits>(),
        issuers = arguments.issuers.issuer_names().join(", "),
        "started"
    );
    tracing::info!("get a token with: imageshare token --data {data} --project PROJECT");
    let mut out = io::stdout();
    writeln!(out, "listening on http://{}", server.address())?;
    out.flush()
}

fn token(arguments: TokenArguments) -> Result<(), Box<dyn Error>> {
    let TokenArguments { principal, roles, ttl, data } = arguments;
    writeln!(io::stdout(), "{}", SigningKey::load(&data)?.sign_token(&principal.token_claims(roles, ttl))?)?;
    Ok(())
}

/// Runs a command that calls a server, and prints its result.
fn print<E: Error + 'static>(command: impl Future<Output = Result<String, E>>) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    write!(io::stdout(), "{}", runtime.block_on(command)?)?;
    Ok(())
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
