//! Checks the integrity of a database.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// The maximum number of problems that a check reports.
const MAX_PROBLEMS: u32 = 20;

/// Checks a database, which may be open elsewhere. Reads the whole file, at a gigabyte in some seconds. Returns the
/// problems that it finds, as `SQLite` words them.
///
/// # Errors
/// The file cannot be opened, or is too damaged to be checked.
pub(crate) fn check(path: &Path) -> rusqlite::Result<Vec<String>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    check_connection(&connection)
}

/// Checks the database of an open connection, as [`check`] does.
///
/// # Errors
/// The database is too damaged to be checked.
pub(crate) fn check_connection(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({MAX_PROBLEMS})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    let lines = lines.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}
