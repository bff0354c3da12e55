//! Gives free pages of an open database back to the file system.

use std::sync::Arc;

use super::cleanup::{CleanupError, run_paced};
use super::database_file::DatabaseFile;
use super::open_database::OpenDatabase;
use super::scheduler::CallScheduler;

/// Gives back what is free beyond the reserve, a few pages at a time and paced; returns how many bytes that were. The
/// write-ahead log is emptied afterwards, also where much was written before (`has_written`).
///
/// # Errors
/// [`CleanupError`] where the database does not answer or its file cannot be written.
pub(super) async fn shrink_file(
    lanes: &CallScheduler<OpenDatabase>,
    space: &Arc<DatabaseFile>,
    has_written: bool,
) -> Result<u64, CleanupError> {
    let call = |call: fn(&DatabaseFile) -> rusqlite::Result<u64>| {
        let space = Arc::clone(space);
        run_paced(lanes, move |_| call(&space))
    };
    let before = call(DatabaseFile::size).await?;
    while call(|space| space.release_pages().map(u64::from)).await? > 0 {}
    let after = call(DatabaseFile::size).await?;
    if has_written || after < before {
        call(|space| space.truncate_wal().map(|()| 0)).await?;
    }
    Ok(before.saturating_sub(after))
}
