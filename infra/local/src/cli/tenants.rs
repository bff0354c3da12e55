//! The arguments of `imageshare tenants`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use http::Uri;
use imageshare::domain::TenantId;

use super::DEFAULT_DATA;
use imageshare::http::parse_public_url;

pub(super) const ABOUT: &str = "\
Import, list, show and delete tenants of a service's directory.

The directory says which account a project belongs to and what both are called, so that images can be shared by these \
names. The command asks the service over its API, as an admin: of a running local server with a token made from the signing \
key in its data directory; of a deployment elsewhere with the token that the variable IMAGESHARE_TOKEN holds.";

pub(super) const EXAMPLE: &str = "\
Example:
  imageshare tenants import tenants.csv
  imageshare tenants list --format csv > tenants.csv
  IMAGESHARE_TOKEN=... imageshare tenants import tenants.csv --server https://images.example";

const IMPORT_ABOUT: &str = "\
Enter the tenants of a file, or change those that are there; others stay as they are.

A CSV file begins with a line that names its columns, in any order: project_id, account, project and, if wanted, region. A \
JSON file is an array of objects with these members, as `list --format json` writes it. A tenant without a region is in that \
of the service.

The whole file is read and checked first: if any line of it is refused, nothing is written, each such line is told with its \
number, and the exit code is 1. Then the tenants are written one by one, in the order of the file. If that is interrupted, \
run the same command again: it completes what is missing.";

/// What to do with the directory.
#[derive(Debug, Clone, Subcommand)]
pub enum TenantsCommand {
    /// Enter the tenants of a CSV or JSON file, all of them or none
    #[command(long_about = IMPORT_ABOUT)]
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// What it is, where its name does not end in .csv or .json
        #[arg(long, value_name = "FORMAT", value_enum)]
        format: Option<FileFormat>,
        /// Where
        #[command(flatten)]
        location: ServerLocation,
    },
    /// List all in the order of their ids, a line for each: project id, account, project, region
    List {
        /// How; csv and json are what `import` reads
        #[arg(long, value_name = "FORMAT", value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
        /// Where
        #[command(flatten)]
        location: ServerLocation,
    },
    /// Show one, in one line: project id, account, project, region
    Show {
        /// The project's id
        #[arg(value_name = "PROJECT_ID")]
        project: TenantId,
        /// Where
        #[command(flatten)]
        location: ServerLocation,
    },
    /// Take one out of the directory; prints nothing. Its images and memberships stay as they are
    Delete {
        /// The project's id
        #[arg(value_name = "PROJECT_ID")]
        project: TenantId,
        /// Where
        #[command(flatten)]
        location: ServerLocation,
    },
}

/// What a file of tenants is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// Comma-separated values, with a header line
    Csv,
    /// An array of objects
    Json,
}

/// How tenants are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Lines, with a tab between two fields
    Text,
    /// Comma-separated values, with a header line
    Csv,
    /// An array of objects
    Json,
}

/// Where a server is, and how the command may ask it.
#[derive(Debug, Clone, Args)]
pub struct ServerLocation {
    /// Address of the service: a local server, or with a token in the environment any deployment
    #[arg(long, value_name = "URL", value_parser = parse_public_url, default_value = "http://127.0.0.1:8080")]
    pub server: Uri,
    /// The local server's data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
}
