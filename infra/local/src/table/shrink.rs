//! Shrinks the file of an open database.

use std::sync::Arc;

use super::cleanup::{CleanupError, run_paced};
use super::database_file::DatabaseFile;
use super::open_database::OpenDatabase;
use super::scheduler::CallScheduler;

/// Releases the free pages beyond the reserve, a few per call, with pauses. Then truncates the write-ahead log if pages
/// were released or `has_written`. Returns the number of released bytes.
///
/// # Errors
/// [`CleanupError`] if the table is closed or the file cannot be written.
pub(super) async fn shrink_file(
    lanes: &CallScheduler<OpenDatabase>,
    file: &Arc<DatabaseFile>,
    has_written: bool,
) -> Result<u64, CleanupError> {
    let call = |call: fn(&DatabaseFile) -> rusqlite::Result<u64>| {
        let file = Arc::clone(file);
        run_paced(lanes, move |_| call(&file))
    };
    let before = call(DatabaseFile::size).await?;
    while call(|file| file.release_pages().map(u64::from)).await? > 0 {}
    let after = call(DatabaseFile::size).await?;
    if has_written || after < before {
        call(|file| file.truncate_wal().map(|()| 0)).await?;
    }
    Ok(before.saturating_sub(after))
}
