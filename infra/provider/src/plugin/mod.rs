//! go-plugin: how Terraform starts a provider and talks to it.
//!
//! ```text
//! Terraform ── starts, with a cookie and its certificate in the environment ──► this process
//!           ◄─ one line on stdout: protocol, socket, our certificate ─────────
//!           ── gRPC over TLS over that socket ───────────────────────────────►
//!           ── Shutdown ─────────────────────────────────────────────────────► ends
//! ```
//!
//! Nothing else is written to stdout. What is logged goes to stderr, where Terraform collects it.

mod auto_mtls;
mod connections;
mod grpc;
mod handshake;
mod log;
mod panics;
mod pinned;
mod router;
mod services;
mod socket;

use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use grpc::{Request, Response, server_stream, unary, unimplemented};
pub use router::{Router, Service};

use connections::Connections;
use handshake::{Mode, StartError};
use socket::Socket;

/// Serves a provider until Terraform is done with it. `service` answers its procedures, `address` is where users install it from;
/// `stop` is cancelled when the process is told to end, so that what runs comes to an end.
///
/// Returns the exit code of the process.
pub fn serve(service: impl Service, address: &str, stop: &CancellationToken) -> ExitCode {
    log::install();
    panics::install_hook();
    // One thread: a provider waits most of the time, and has to start fast.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Io);
    let ended = runtime.and_then(|runtime| runtime.block_on(serve_until_shutdown(service, address, stop)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

async fn serve_until_shutdown(
    service: impl Service,
    address: &str,
    stop: &CancellationToken,
) -> Result<(), StartError> {
    let mode = Mode::from_environment()?;
    let shutdown = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let socket = Socket::bind()?;
    let tls = match &mode {
        Mode::Plugin { client_certificate: Some(certificate) } => Some(auto_mtls::accept_only(certificate)?),
        Mode::Plugin { client_certificate: None } | Mode::Debug => None,
    };
    let router = Router::new(vec![
        Arc::new(service),
        Arc::new(services::Controller::new(shutdown.clone())),
        Arc::new(services::Stdio::new(shutdown.clone())),
        Arc::new(services::Health),
    ]);
    match &mode {
        Mode::Plugin { .. } => handshake::print_line(&socket.path(), tls.as_ref())?,
        Mode::Debug => handshake::print_reattachment(&socket.path(), address)?,
    }
    let connections = Connections::new(tls.map(|tls| tls.acceptor), router, shutdown.clone());
    let serving = connections.serve(socket.listener());
    tokio::pin!(serving);
    loop {
        tokio::select! {
            () = &mut serving => return Ok(()),
            // Ctrl-C reaches the whole process group. Terraform decides what it means, and says so by StopProvider.
            _ = interrupt.recv() => if mode != Mode::Debug {
                tracing::debug!("ignored an interrupt");
                continue;
            },
            _ = terminate.recv() => {}
        }
        stop.cancel();
        shutdown.cancel();
    }
}
