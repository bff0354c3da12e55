//! The arguments of `imageshare health`.

use clap::Args;
use http::Uri;
use imageshare::http::parse_public_url;

pub(super) const ABOUT: &str = "\
Ask a running server whether it works, and print its answer in one line.

The exit code is 0 if it works, 1 if the server reports that something is wrong, and 3 if no server answers within 5 \
seconds. It needs no credential.";

pub(super) const EXAMPLE: &str = "\
Example:
  imageshare health
  imageshare health --ready --server http://127.0.0.1:8081";

/// The arguments of `imageshare health`.
#[derive(Debug, Clone, Args)]
pub struct HealthArguments {
    /// Ask whether it should get requests (/ready), rather than whether anything is wrong (/health)
    #[arg(long)]
    pub ready: bool,
    /// Address of the server [default: the port of `IMAGESHARE_LISTEN` on this machine, or 8080]
    #[arg(long, value_name = "URL", value_parser = parse_public_url)]
    pub server: Option<Uri>,
}
