//! How the process was started, and the line that tells Terraform how to reach it.

use std::env;
use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::json;

use super::auto_mtls::Tls;

/// What Terraform puts into `TF_PLUGIN_MAGIC_COOKIE` of every provider. It is no secret: it tells a start by Terraform from one by
/// hand.
const MAGIC_COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The version of go-plugin's own protocol.
const CORE_PROTOCOL: u32 = 1;

/// The version of Terraform's protocol.
const PROTOCOL: u32 = 6;

/// How the process was started.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// By Terraform, which alone may connect if it has sent its certificate.
    Plugin { client_certificate: Option<String> },
    /// By a developer, who has Terraform attach to it.
    Debug,
}

/// Why the provider does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error(
        "This is a provider for Terraform, which starts it. To use it, name it in a required_providers block.\n\
         To debug it, start it with --debug: it prints a variable with which Terraform attaches to it."
    )]
    ByHand,
    #[error(
        "Terraform offers the plugin protocols {0}; this provider needs protocol {PROTOCOL}: Terraform 1.0 or later."
    )]
    Protocol(String),
    #[error("the certificate of Terraform in PLUGIN_CLIENT_CERT cannot be used: {0}")]
    ClientCertificate(String),
    #[error("no certificate can be made: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    #[error("the socket {0} cannot be made: {1}")]
    Socket(String, io::Error),
    #[error("the provider cannot start: {0}")]
    Io(#[from] io::Error),
}

impl Mode {
    /// Reads how the process was started from its arguments and its environment.
    pub(super) fn from_environment() -> Result<Self, StartError> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self::read(env::args().skip(1), variable)
    }

    fn read(
        mut arguments: impl Iterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, StartError> {
        if arguments.any(|argument| argument == "--debug" || argument == "-debug") {
            return Ok(Self::Debug);
        }
        if variable("TF_PLUGIN_MAGIC_COOKIE").as_deref() != Some(MAGIC_COOKIE) {
            return Err(StartError::ByHand);
        }
        match variable("PLUGIN_PROTOCOL_VERSIONS") {
            Some(offered) if !offered.split(',').any(|version| version.trim() == PROTOCOL.to_string()) => {
                Err(StartError::Protocol(offered))
            }
            _ => Ok(Self::Plugin { client_certificate: variable("PLUGIN_CLIENT_CERT") }),
        }
    }
}

/// Prints the line that Terraform waits for.
pub(super) fn print_line(socket: &Path, tls: Option<&Tls>) -> io::Result<()> {
    let certificate = tls.map(|tls| STANDARD_NO_PAD.encode(&tls.certificate)).unwrap_or_default();
    print(&format!("{CORE_PROTOCOL}|{PROTOCOL}|unix|{}|grpc|{certificate}", socket.display()))
}

/// Prints the variable with which Terraform attaches to this process.
pub(super) fn print_reattachment(socket: &Path, address: &str) -> io::Result<()> {
    let this = json!({
        "Protocol": "grpc",
        "ProtocolVersion": PROTOCOL,
        "Pid": std::process::id(),
        "Test": true,
        "Addr": {"Network": "unix", "String": socket},
    });
    print(&format!("TF_REATTACH_PROVIDERS='{}'", json!({ address: this })))
}

fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(arguments: &[&str], variables: &[(&str, &str)]) -> Result<Mode, String> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Mode::read(arguments.iter().map(|argument| (*argument).to_owned()), variable)
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn start_by_hand_is_explained() {
        assert!(mode(&[], &[]).unwrap_err().contains("required_providers"));
        assert!(mode(&[], &[("TF_PLUGIN_MAGIC_COOKIE", "another")]).is_err());
        assert_eq!(mode(&["--debug"], &[]), Ok(Mode::Debug));
    }

    #[test]
    fn terraform_has_to_speak_protocol_six() {
        let cookie = ("TF_PLUGIN_MAGIC_COOKIE", MAGIC_COOKIE);
        assert_eq!(mode(&[], &[cookie]), Ok(Mode::Plugin { client_certificate: None }));
        assert!(mode(&[], &[cookie, ("PLUGIN_PROTOCOL_VERSIONS", "5,6")]).is_ok());
        assert!(mode(&[], &[cookie, ("PLUGIN_PROTOCOL_VERSIONS", "4,5")]).unwrap_err().contains("4,5"));
    }
}
