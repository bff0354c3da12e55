//! The layout version of a data directory.
//!
//! The database records the number of its layout, as `SQLite`'s `user_version`, and the version of the program that
//! opened it last; so does a backup. An older layout is migrated when the directory is opened, a newer one is rejected.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

/// The layout that this program writes. A change to the table, or to the files beside it, that an older program would
/// misread needs a new number and a step in [`migrate`].
pub(crate) const LAYOUT: u32 = 1;

/// The layout number of databases from before it was recorded.
const UNVERSIONED: u32 = 0;

/// The version that a database records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryVersion {
    /// Its layout; 0 if none is recorded.
    pub layout: u32,
    /// The version of the program that opened it last, if recorded.
    pub program: Option<String>,
}

impl DirectoryVersion {
    /// The program that wrote it, for messages.
    pub(crate) fn writer(&self) -> String {
        match &self.program {
            Some(program) => format!("imageshare {program}"),
            None => "an imageshare of another version".to_owned(),
        }
    }
}

/// Reads the version of a database; `None` if there is no file.
///
/// # Errors
/// The file is not a database, or cannot be read.
pub(crate) fn read_file(path: &Path) -> rusqlite::Result<Option<DirectoryVersion>> {
    if std::fs::metadata(path).map_or(true, |file| file.len() == 0) {
        return Ok(None);
    }
    read_connection(&Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?).map(Some)
}

/// Reads the version of the database of an open connection.
///
/// # Errors
/// As [`read_file`].
pub(crate) fn read_connection(connection: &Connection) -> rusqlite::Result<DirectoryVersion> {
    let layout = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let is_versioned = connection.table_exists(None, "imageshare_directory")?;
    let program = if is_versioned {
        let select = "SELECT value FROM imageshare_directory WHERE key = 'program'";
        connection.query_row(select, [], |row| row.get(0)).optional()?
    } else {
        None
    };
    Ok(DirectoryVersion { layout, program })
}

/// Migrates a database of an older layout, and records this program's version.
///
/// # Errors
/// The database cannot be written.
pub(crate) fn migrate(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(super::database_file::BUSY_TIMEOUT)?;
    let version = read_connection(&connection)?;
    let program = env!("CARGO_PKG_VERSION");
    if version.layout == LAYOUT && version.program.as_deref() == Some(program) {
        return Ok(());
    }
    // An unversioned database has the first layout, so there is nothing to migrate.
    if version.layout > UNVERSIONED && version.layout < LAYOUT {
        tracing::info!(from = version.layout, to = LAYOUT, "migrating the data directory");
    }
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS imageshare_directory (key TEXT PRIMARY KEY, value TEXT NOT NULL);
         INSERT OR REPLACE INTO imageshare_directory VALUES ('program', '{program}');
         PRAGMA user_version = {LAYOUT};
         COMMIT;"
    ))
}
