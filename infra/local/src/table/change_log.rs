//! The changes of the embedded table that were not handled yet: the stream of DynamoDB, on one machine.
//!
//! The embedded database writes a record of its stream in the transaction that makes the change, so a change and its
//! record are stored together or not at all. It never removes one, and would take longer for each record that is there.
//! A second connection reads the records, oldest first, and removes those that were handled. It is used on the database's
//! thread, between its calls, so the two connections never wait for each other.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags, params};

use super::database_file::BUSY_TIMEOUT;
use crate::TABLE;

/// A change of an item.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// Its number: later changes have greater ones.
    pub(crate) number: i64,
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub(crate) event_name: String,
    /// The item's key, as DynamoDB writes it in JSON.
    pub(crate) keys: String,
    /// The item before, in the same form.
    pub(crate) old: Option<String>,
    /// The item after, in the same form.
    pub(crate) new: Option<String>,
    /// When it was made, in seconds since the Unix epoch.
    pub(crate) made_at: i64,
}

/// The connection to the changes of an open database.
#[derive(Debug)]
pub(super) struct ChangeLog(Mutex<Connection>);

impl ChangeLog {
    /// Opens the changes of an open database.
    ///
    /// # Errors
    /// The database cannot be opened again.
    pub(super) fn open(path: &str) -> rusqlite::Result<Self> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // The database looks for the greatest number before each write: without this index among all records.
        connection.execute_batch(
            "CREATE INDEX IF NOT EXISTS imageshare_stream_numbers
             ON _stream_records (table_name, CAST(sequence_number AS INTEGER))",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Reads the oldest changes, up to `limit`.
    ///
    /// # Errors
    /// The database fails.
    pub(super) fn read(&self, limit: usize) -> rusqlite::Result<Vec<Change>> {
        let connection = self.connection();
        let mut select = connection.prepare_cached(
            "SELECT id, event_name, keys_json, old_image, new_image, created_at FROM _stream_records
             WHERE table_name = ?1 ORDER BY id LIMIT ?2",
        )?;
        let rows = select.query_map(params![TABLE, limit], |row| {
            Ok(Change {
                number: row.get(0)?,
                event_name: row.get(1)?,
                // Parsed by the reader: this is the database's thread, for which requests wait.
                keys: row.get(2)?,
                old: row.get(3)?,
                new: row.get(4)?,
                made_at: row.get(5)?,
            })
        })?;
        rows.collect()
    }

    /// Removes the changes up to a number.
    ///
    /// # Errors
    /// The database fails.
    pub(super) fn remove(&self, up_to: i64) -> rusqlite::Result<()> {
        let connection = self.connection();
        let mut delete =
            connection.prepare_cached("DELETE FROM _stream_records WHERE table_name = ?1 AND id <= ?2")?;
        delete.execute(params![TABLE, up_to]).map(drop)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A connection stays usable after a panic: an unfinished statement is rolled back when it is dropped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::super::EmbeddedTable;

    /// Which index a statement uses, as `SQLite` plans it.
    fn plan(connection: &Connection, statement: &str) -> String {
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let steps = explain.query_map([], |row| row.get::<_, String>(3)).unwrap();
        steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }

    /// The statement is the embedded database's own (`next_stream_sequence_number` in dynoxide 3.2.0).
    #[test]
    fn write_finds_the_last_number_by_an_index() {
        let table = EmbeddedTable::open(None).unwrap();
        let statement = "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records \
                         WHERE table_name = 'imageshare'";
        let plan = plan(&table.opened.changes.connection(), statement);
        assert!(plan.contains("imageshare_stream_numbers") && !plan.contains("SCAN"), "{plan}");
    }
}
