//! Gives the space of deleted items back to the file system.
//!
//! The embedded database never makes its file smaller, and has no call for it but a copy of the whole file under its lock.
//! The file is one of `SQLite`, though, which can give back its free pages a few at a time. For that alone there is a
//! second connection to the file, which neither reads nor writes a table. It is used on the thread of the database, between
//! its calls, so the two never wait for each other.
//!
//! A file must be made for this (`auto_vacuum`). One that was not is copied once, when it is opened. A database in memory
//! has no file; its free pages are used again.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// Pages that one call gives back, of 4 KiB each.
const PAGES_PER_CALL: u32 = 128;

/// Free pages that the file keeps for what is written next: these, or a tenth of what is used.
const MIN_RESERVED_PAGES: u64 = 256;
const RESERVE_DIVISOR: u64 = 10;

/// How long a call waits for a lock that another program has, such as a backup.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// `PRAGMA auto_vacuum` of a file that can give back its pages a few at a time.
const AUTO_VACUUM_INCREMENTAL: u32 = 2;

/// The file of a database.
#[derive(Debug)]
pub(super) struct DatabaseFile(Mutex<Connection>);

impl DatabaseFile {
    /// Opens the file of a database that is open already. One that was not made for it is copied, which needs its size twice
    /// for a while and some ten seconds per gigabyte.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no room for its copy. It is unchanged then.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let mode: u32 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
        if mode != AUTO_VACUUM_INCREMENTAL {
            if page_count(&connection)? > MIN_RESERVED_PAGES {
                tracing::info!(path = %path.display(), "the database's file is copied once, so that it can become smaller");
            }
            connection.pragma_update(None, "auto_vacuum", AUTO_VACUUM_INCREMENTAL)?;
            connection.execute_batch("VACUUM")?;
        }
        Ok(Self(Mutex::new(connection)))
    }

    /// How large the file is, in bytes, once everything is written to it.
    pub(super) fn size(&self) -> rusqlite::Result<u64> {
        let connection = self.connection();
        let page_size: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        Ok(page_count(&connection)? * page_size)
    }

    /// Gives back [`PAGES_PER_CALL`] free pages, in one transaction. Returns whether there are more to give back.
    pub(super) fn release_pages(&self) -> rusqlite::Result<bool> {
        let connection = self.connection();
        let before = surplus_pages(&connection)?;
        if before == 0 {
            return Ok(false);
        }
        let most = before.min(u64::from(PAGES_PER_CALL));
        // Each row of its answer is a page that was given back.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({most})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        drop(rows);
        let left = surplus_pages(&connection)?;
        Ok(left > 0 && left < before)
    }

    /// Writes everything to the file and empties the write-ahead log: only then is the file smaller, and the log with it.
    pub(super) fn truncate_wal(&self) -> rusqlite::Result<()> {
        self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A connection whose user panicked is as good as before: a statement is undone when it is dropped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn page_count(connection: &Connection) -> rusqlite::Result<u64> {
    connection.pragma_query_value(None, "page_count", |row| row.get(0))
}

/// Free pages above the reserve.
fn surplus_pages(connection: &Connection) -> rusqlite::Result<u64> {
    let free: u64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
    let used = page_count(connection)?.saturating_sub(free);
    Ok(free.saturating_sub((used / RESERVE_DIVISOR).max(MIN_RESERVED_PAGES)))
}
