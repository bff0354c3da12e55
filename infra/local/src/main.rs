//! `imageshare`: serves the APIs on one machine, prints tokens for it, asks it for access keys, and keeps the directory of
//! tenants of any deployment.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use imageshare_local::cli::{
    AccessKeyCommand, Arguments, Command, ServeArguments, TenantsCommand, TokenArguments,
};
use imageshare_local::keys::SigningKey;
use imageshare_local::server::Server;
use imageshare_local::{access_key, descriptors, logging, tenants};
use tokio::signal::unix::{SignalKind, signal};

/// A third of the work of a request is in allocations. The embedded database's, made in C, come here too: `override`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// More threads than this have nothing to do: the table does one thing at a time.
const MOST_THREADS: usize = 4;

fn main() -> ExitCode {
    let done = match Arguments::parse().into_command() {
        Command::Serve(arguments) => serve(&arguments),
        Command::Token(arguments) => token(arguments),
        Command::AccessKey(command) => access_key(&command),
        Command::Tenants(command) => tenants(&command),
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
    logging::start();
    descriptors::raise();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    runtime.block_on(async {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let server = Server::start(arguments).await?;
        announce(&server)?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping");
        server.stop().await;
        Ok(())
    })
}

/// Says that the server is ready: on stdout for programs, on stderr for people.
fn announce(server: &Server) -> io::Result<()> {
    let data = server.key_directory().display();
    tracing::info!("get a token with: imageshare token --data {data} --project PROJECT");
    let mut out = io::stdout();
    writeln!(out, "listening on http://{}", server.address())?;
    out.flush()
}

fn token(arguments: TokenArguments) -> Result<(), Box<dyn Error>> {
    let TokenArguments { holder, roles, ttl, data } = arguments;
    writeln!(io::stdout(), "{}", SigningKey::open(&data)?.token(&holder.grant(roles, ttl))?)?;
    Ok(())
}

fn access_key(command: &AccessKeyCommand) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    write!(io::stdout(), "{}", runtime.block_on(access_key::run(command))?)?;
    Ok(())
}

fn tenants(command: &TenantsCommand) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    write!(io::stdout(), "{}", runtime.block_on(tenants::run(command))?)?;
    Ok(())
}
