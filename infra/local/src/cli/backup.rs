//! The commands that keep a data directory: copy it, put a copy back, check it.

use std::path::PathBuf;

use clap::Args;

use super::DEFAULT_DATA;

pub(super) const BACKUP_ABOUT: &str = "\
Write a backup of a server's data directory to a new file, while the server runs or not.

The backup is one file: the table as it is at one moment, with everything that was acknowledged before, and the server's keys. \
Who can read it can act for every project, so only its owner can: keep it like a password. The copy is checked before it \
gets its name. infra/local/OPERATING.md says more.";

pub(super) const RESTORE_ABOUT: &str = "\
Put a backup into a data directory that is empty or does not exist yet.

What was done after the backup was made is not in it: a share that was withdrawn since is back. Tokens and access keys \
that were valid then are valid again. infra/local/OPERATING.md says more.";

pub(super) const EXAMPLE: &str = "\
Example:
  imageshare backup --to imageshare-$(date +%F).backup
  imageshare check
  imageshare restore --from imageshare-2026-11-29.backup --data restored-data
  imageshare serve --data restored-data";

/// What is copied, and where to.
#[derive(Debug, Clone, Args)]
pub struct BackupArguments {
    /// The backup's file, which must not exist
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// The server's data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
}

/// What is put back, and where.
#[derive(Debug, Clone, Args)]
pub struct RestoreArguments {
    /// A file that `imageshare backup` has written
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The data directory to fill; made if it does not exist
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
}

/// What is checked.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// The server's data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
}
