//! The arguments of `imageshare backup`, `restore` and `check`.

use std::path::PathBuf;

use clap::Args;

use super::DEFAULT_DATA;

/// Rejects `--table`, which users of a table in DynamoDB may try: its backups and checks are DynamoDB's own.
fn reject_table(_: &str) -> Result<String, String> {
    Err("this command is for a data directory; DynamoDB backs up its tables itself: see point-in-time recovery and \
         `aws dynamodb create-backup`"
        .to_owned())
}

pub(super) const BACKUP_ABOUT: &str = "\
Write a backup of a data directory to a new file, also while the server runs.

The backup is one file: a snapshot of the table, with everything that the server acknowledged before, and the \
server's keys. A reader of the file can act for every project, so it is readable by its owner only: keep it like a \
password. The copy is checked before it gets its name. See infra/local/OPERATING.md.";

pub(super) const RESTORE_ABOUT: &str = "\
Restore a backup into a data directory that is empty or does not exist yet.

Changes made after the backup are undone: a share that was withdrawn since then is back, and tokens and access keys \
that were valid then are valid again. See infra/local/OPERATING.md.";

pub(super) const EXAMPLE: &str = "\
Example:
  imageshare backup --to imageshare-$(date +%F).backup
  imageshare check
  imageshare restore --from imageshare-2026-11-29.backup --data restored-data
  imageshare serve --data restored-data";

/// The arguments of `imageshare backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArguments {
    /// File to write, which must not exist
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// The server's data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
    /// Always an error, with what to do instead.
    #[arg(long, hide = true, value_parser = reject_table)]
    table: Option<String>,
}

/// The arguments of `imageshare restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArguments {
    /// Backup to restore
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// Data directory to fill; created if it does not exist
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
    /// Always an error, with what to do instead.
    #[arg(long, hide = true, value_parser = reject_table)]
    table: Option<String>,
}

/// The arguments of `imageshare check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// The server's data directory
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA)]
    pub data: PathBuf,
    /// Always an error, with what to do instead.
    #[arg(long, hide = true, value_parser = reject_table)]
    table: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Arguments;

    #[test]
    fn commands_of_a_data_directory_refuse_a_table() {
        for command in ["backup --to b", "restore --from b", "check"] {
            let line = format!("imageshare {command} --table imageshare");
            let refused = Arguments::try_parse_from(line.split(' ')).unwrap_err().to_string();
            assert!(refused.contains("DynamoDB backs up its tables itself"), "{refused}");
        }
    }
}
