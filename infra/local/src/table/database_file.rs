//! Returns the space of deleted items to the file system.
//!
//! The embedded database never shrinks its file, except by copying the whole file under its lock. `SQLite` itself can
//! release free pages a few at a time. A second connection to the file does only that, and neither reads nor writes a
//! table. It is used on the database's thread, between its calls, so the two connections never wait for each other.
//!
//! The file needs `auto_vacuum` for this; a file without it is copied once, when it is opened. A database in memory has
//! no file; it reuses its free pages.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// Pages that one call releases, of 4 KiB each.
const PAGES_PER_CALL: u32 = 128;

/// Free pages that the file keeps for later writes: this number, or a tenth of the used pages if that is more.
const MIN_RESERVED_PAGES: u64 = 256;
const RESERVE_DIVISOR: u64 = 10;

/// How long a call waits for another program's lock, such as a backup's.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The mode of `PRAGMA auto_vacuum` in which a file can release pages a few at a time.
const AUTO_VACUUM_INCREMENTAL: u32 = 2;

/// The connection to a database's file for releasing pages.
#[derive(Debug)]
pub(super) struct DatabaseFile(Mutex<Connection>);

impl DatabaseFile {
    /// Opens the file of an open database. A file without `auto_vacuum` is copied, which temporarily takes twice its
    /// size, and some ten seconds per gigabyte.
    ///
    /// # Errors
    /// The file cannot be opened, or the disk has no space for the copy. The file is then unchanged.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        let mode: u32 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
        if mode != AUTO_VACUUM_INCREMENTAL {
            if page_count(&connection)? > MIN_RESERVED_PAGES {
                tracing::info!(
                    path = %path.display(),
                    "the database's file is copied once, so that it can shrink later"
                );
            }
            connection.pragma_update(None, "auto_vacuum", AUTO_VACUUM_INCREMENTAL)?;
            connection.execute_batch("VACUUM")?;
        }
        Ok(Self(Mutex::new(connection)))
    }

    /// The size of the file in bytes, once the write-ahead log is written to it.
    pub(super) fn size(&self) -> rusqlite::Result<u64> {
        let connection = self.connection();
        let page_size: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        Ok(page_count(&connection)? * page_size)
    }

    /// Releases up to [`PAGES_PER_CALL`] free pages, in one transaction. Returns whether there are more.
    pub(super) fn release_pages(&self) -> rusqlite::Result<bool> {
        let connection = self.connection();
        let before = surplus_pages(&connection)?;
        if before == 0 {
            return Ok(false);
        }
        let count = before.min(u64::from(PAGES_PER_CALL));
        // The pragma releases one page per row, so all rows have to be read.
        let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({count})"))?;
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        drop(rows);
        let left = surplus_pages(&connection)?;
        Ok(left > 0 && left < before)
    }

    /// Checkpoints and truncates the write-ahead log. Only then do the file and the log shrink on disk.
    pub(super) fn truncate_wal(&self) -> rusqlite::Result<()> {
        self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A connection stays usable after a panic: an unfinished statement is rolled back when it is dropped.
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
