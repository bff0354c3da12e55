//! Whether a database is what was written.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Problems that are told at most.
const MAX_PROBLEMS: u32 = 20;

/// Checks a database, which may be open elsewhere: it is read whole, about a gigabyte in some seconds. Returns the problems
/// that were found, in words of `SQLite`.
///
/// # Errors
/// The file cannot be opened, or is damaged so far that it cannot be checked.
pub(crate) fn check(path: &Path) -> rusqlite::Result<Vec<String>> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    check_connection(&connection)
}

/// The same of a database that is open.
///
/// # Errors
/// As [`check_integrity`].
pub(crate) fn check_connection(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut check = connection.prepare(&format!("PRAGMA integrity_check({MAX_PROBLEMS})"))?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    let lines = lines.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}
