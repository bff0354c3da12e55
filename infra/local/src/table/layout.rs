//! Which version of this program a data directory is of.
//!
//! The database carries a mark: the number of the layout, as `SQLite`'s `user_version`, and the version of the program that
//! opened it last. Backups carry it too. A layout that is older is migrated when the directory is opened, one that is newer
//! is refused.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

/// The layout that this program writes. A change to what stands in the table or beside it that an older program would
/// misread needs a new number, and a step in [`migrate`].
pub(crate) const LAYOUT: u32 = 1;

/// The layout of directories that carry no mark.
const UNVERSIONED: u32 = 0;

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryVersion {
    /// Its layout; 0 where it carries no mark.
    pub layout: u32,
    /// The version of the program that opened it last, where that is known.
    pub program: Option<String>,
}

impl DirectoryVersion {
    /// The version of the program that wrote it, for a person.
    pub(crate) fn writer(&self) -> String {
        match &self.program {
            Some(program) => format!("imageshare {program}"),
            None => "an imageshare of another version".to_owned(),
        }
    }
}

/// Reads the mark of a database; `None` where there is no file.
///
/// # Errors
/// The file is no database.
pub(crate) fn read_file(path: &Path) -> rusqlite::Result<Option<DirectoryVersion>> {
    if std::fs::metadata(path).map_or(true, |file| file.len() == 0) {
        return Ok(None);
    }
    read_connection(&Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?).map(Some)
}

/// The same of a database that is open.
///
/// # Errors
/// As [`read_file`].
pub(crate) fn read_connection(connection: &Connection) -> rusqlite::Result<DirectoryVersion> {
    let layout = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let is_marked = connection.table_exists(None, "imageshare_directory")?;
    let program = if is_marked {
        let select = "SELECT value FROM imageshare_directory WHERE key = 'program'";
        connection.query_row(select, [], |row| row.get(0)).optional()?
    } else {
        None
    };
    Ok(DirectoryVersion { layout, program })
}

/// Brings a database of an older layout to this one, and marks it.
///
/// # Errors
/// The database cannot be written.
pub(crate) fn migrate(path: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(super::database_file::BUSY_TIMEOUT)?;
    let mark = read_connection(&connection)?;
    let program = env!("CARGO_PKG_VERSION");
    if mark.layout == LAYOUT && mark.program.as_deref() == Some(program) {
        return Ok(());
    }
    // Directories without a mark are of the first layout.
    if mark.layout > UNVERSIONED && mark.layout < LAYOUT {
        tracing::info!(from = mark.layout, to = LAYOUT, "the data directory is migrated");
    }
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE;
         CREATE TABLE IF NOT EXISTS imageshare_directory (key TEXT PRIMARY KEY, value TEXT NOT NULL);
         INSERT OR REPLACE INTO imageshare_directory VALUES ('program', '{program}');
         PRAGMA user_version = {LAYOUT};
         COMMIT;"
    ))
}
