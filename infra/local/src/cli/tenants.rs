//! The arguments of `imageshare tenants`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use http::Uri;
use imageshare::domain::TenantId;

use super::DEFAULT_DATA;
use imageshare::http::parse_public_url;

pub(super) const ABOUT: &str = "\
Import, list, show and delete tenants of a service's directory.

The directory has each project's account and the names of both, so that images can be shared by these names. The \
command calls the service's API as an admin. For a local server it signs its own token, with the signing key in the \
server's data directory. For any other deployment, set the variable IMAGESHARE_TOKEN to an admin's token, or name a \
profile of the credentials file that has an admin's token or access key.";

pub(super) const EXAMPLE: &str = "\
Example:
  imageshare tenants import tenants.csv
  imageshare tenants list --format csv > tenants.csv
  IMAGESHARE_TOKEN=... imageshare tenants import tenants.csv --server https://images.example
  imageshare tenants import tenants.csv --profile admin";

const IMPORT_ABOUT: &str = "\
Add the tenants of a file to the directory, and update those that are in it. Other tenants stay as they are.

A CSV file begins with a line that names its columns, in any order: project_id, account, project and, optionally, \
region, organization and cloud_account. A JSON file is an array of objects with these members, as `list --format json` \
writes it. A tenant without a region is in the service's own; one without an organization or a cloud account has none \
from then on. A cloud account is an account at AWS, of 12 digits, whose image events are believed as the tenant's; only \
one tenant has it.

The whole file is read and checked first. If a line is invalid, nothing is written, each error is printed with its \
line number, and the exit code is 1. Then the tenants are written one by one, in the order of the file. If that is \
interrupted, run the same command again to complete it.";

/// The commands of `imageshare tenants`.
#[derive(Debug, Clone, Subcommand)]
pub enum TenantsCommand {
    /// Import the tenants of a CSV or JSON file; writes nothing if a line is invalid
    #[command(long_about = IMPORT_ABOUT)]
    Import {
        /// File to import
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Format of the file, if its name does not end in .csv or .json
        #[arg(long, value_name = "FORMAT", value_enum)]
        format: Option<FileFormat>,
        /// The server to call.
        #[command(flatten)]
        location: ServerLocation,
    },
    /// List all tenants by id, one per line: project id, account, project, region, organization, cloud account
    List {
        /// Format of the list; `import` reads csv and json
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
        /// The server to call.
        #[command(flatten)]
        location: ServerLocation,
    },
    /// Show a tenant in one line: project id, account, project, region, organization, cloud account
    Show {
        /// Id of the project
        #[arg(value_name = "PROJECT_ID")]
        project: TenantId,
        /// The server to call.
        #[command(flatten)]
        location: ServerLocation,
    },
    /// Delete a tenant from the directory; prints nothing. Its images and memberships stay as they are
    Delete {
        /// Id of the project
        #[arg(value_name = "PROJECT_ID")]
        project: TenantId,
        /// The server to call.
        #[command(flatten)]
        location: ServerLocation,
    },
}

/// The format of a file to import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// Comma-separated values, with a header line
    Csv,
    /// An array of objects
    Json,
}

/// The format of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Lines, with a tab between two fields
    Text,
    /// Comma-separated values, with a header line
    Csv,
    /// An array of objects
    Json,
}

/// The server to call, and the signing key for a local one.
#[derive(Debug, Clone, Args)]
pub struct ServerLocation {
    /// Address of the service: a local server, or any deployment if `IMAGESHARE_TOKEN` is set
    #[arg(long, value_name = "URL", value_parser = parse_public_url, default_value = "http://127.0.0.1:8080")]
    pub server: Uri,
    /// The local server's data directory, or its directory of --keys
    #[arg(long, visible_alias = "keys", value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
    /// Profile of the credentials file, which Terraform's provider has too: the service's address with a token or an access key
    #[arg(long, value_name = "NAME", conflicts_with_all = ["server", "data"])]
    pub profile: Option<String>,
}
