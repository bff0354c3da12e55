//! `imageshare`: serves the APIs on one machine, prints tokens for it, asks it for access keys, backs up and checks its data,
//! and keeps the directory of tenants of any deployment.

use std::env;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use imageshare::domain::Limits;
use imageshare_local::backup::BackupError;
use imageshare_local::cli::{
    self, AccessKeyCommand, CheckArguments, Command, ServeArguments, TenantsCommand, TokenArguments,
};
use imageshare_local::keys::SigningKey;
use imageshare_local::progress::{ProgressReporter, Stage};
use imageshare_local::server::Server;
use imageshare_local::signals::Signals;
use imageshare_local::{access_key, backup, descriptors, logging, tenants};

/// A third of the work of a request is in allocations. The embedded database's, made in C, come here too: `override`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// More threads than this have nothing to do: the table does one thing at a time.
const MAX_WORKER_THREADS: usize = 4;

fn main() -> ExitCode {
    let command = match cli::parse(env::args_os()) {
        Ok(command) => command,
        // Help is an error too, of which the exit code is 0.
        Err(problem) => problem.exit(),
    };
    let done = match command {
        Command::Serve(arguments) => serve(&arguments),
        Command::Token(arguments) => token(arguments),
        Command::AccessKey(command) => access_key(&command),
        Command::Backup(arguments) => {
            run_maintenance(|report| backup::backup(&arguments.data, &arguments.to, report))
        }
        Command::Restore(arguments) => {
            run_maintenance(|report| backup::restore(&arguments.from, &arguments.data, report))
        }
        Command::Check(arguments) => check(&arguments),
        Command::Tenants(command) => tenants(&command),
        Command::Completions { shell } => {
            cli::write_completions(shell, &mut io::stdout()).map_err(Into::into)
        }
        Command::Man { command } => cli::write_manual_page(&command, &mut io::stdout()).map_err(Into::into),
    };
    match done {
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
    let done = runtime.block_on(serve_until_stopped(arguments));
    // Where it was ended at once, nothing that still runs is waited for.
    runtime.shutdown_background();
    done
}

/// Serves until a signal, and then stops in good order, unless a second signal comes before that is done.
async fn serve_until_stopped(arguments: &ServeArguments) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    let server = Server::start(arguments).await?;
    announce(&server, arguments)?;
    let signal = signals.next().await;
    tracing::info!(signal, "stopping; a second signal ends it at once");
    tokio::select! {
        biased;
        signal = signals.next() => {
            Err(format!("ended by a second signal, {signal}, before every request was answered").into())
        }
        () = server.stop() => Ok(()),
    }
}

/// Says that the server is ready and how it was set up: on stdout for programs, in the log for people.
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
    let TokenArguments { principal: holder, roles, ttl, data } = arguments;
    writeln!(io::stdout(), "{}", SigningKey::load(&data)?.sign_token(&holder.token_claims(roles, ttl))?)?;
    Ok(())
}

fn access_key(command: &AccessKeyCommand) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    write!(io::stdout(), "{}", runtime.block_on(access_key::run(command))?)?;
    Ok(())
}

/// Runs a command that works on a whole database, and reports its progress on stderr where that takes long. Returns its result.
fn run_maintenance<T>(
    command: impl FnOnce(&dyn Fn(Stage)) -> Result<T, BackupError>,
) -> Result<T, Box<dyn Error>> {
    logging::init();
    let progress = ProgressReporter::on_stderr();
    Ok(command(&|stage| progress.set(stage))?)
}

fn check(arguments: &CheckArguments) -> Result<(), Box<dyn Error>> {
    let found = run_maintenance(|report| backup::check(&arguments.data, report))?;
    writeln!(io::stdout(), "{found}")?;
    Ok(())
}

fn tenants(command: &TenantsCommand) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    write!(io::stdout(), "{}", runtime.block_on(tenants::run(command))?)?;
    Ok(())
}
