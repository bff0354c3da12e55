//! The arguments of `imageshare events`.

use clap::{Args, ValueEnum};

use super::ServerLocation;

pub(super) const ABOUT: &str = "\
Print what was put on the event bus of a running server: the events that it sends, and those that were sent to it.

The server keeps the last events in memory, up to 4 MiB. With --follow the command goes on with new ones as they come. \
The bus has the events of every tenant, so the command calls the server as an admin. For a local server it signs its own \
token, with the signing key in the server's data directory; for another one, name a profile of the credentials file. Deployments on AWS have a bus of EventBridge instead.";

pub(super) const EXAMPLE: &str = "\
Example:
  imageshare events --follow
  imageshare events --follow --format json --source imageshare | jq .detail";

/// The arguments of `imageshare events`.
#[derive(Debug, Clone, Args)]
pub struct EventsArguments {
    /// Go on with new events as they come, until interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Print only the last events of those that the server keeps [default: 10 with --follow, all without]
    #[arg(long, value_name = "NUMBER")]
    pub last: Option<usize>,
    /// Print only events of this source: imageshare for those that the server sends
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// Format of an event
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = EventFormat::Lines)]
    pub format: EventFormat,
    /// The server to call.
    #[command(flatten)]
    pub location: ServerLocation,
}

/// The format of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    /// A line of five fields with tabs: time, source, kind, account, and what it is about
    Lines,
    /// A line of JSON, as a rule of EventBridge gets it
    Json,
}
