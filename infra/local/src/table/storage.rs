//! The state of the storage under the database: faults of the disk, and whether its files are still in place.
//!
//! `SQLite` reports a full disk, a failing disk and damage when it meets them. It does not notice that its files were
//! removed, and continues to write to files that cannot be opened again. So the files are checked after each write,
//! before it is acknowledged.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dynoxide::DynoxideError;
use imageshare::table::{StorageFault, TableError};
use rusqlite::ErrorCode;

use super::integrity;
use crate::private_file;

/// The storage of an open database. One in memory has no files.
#[derive(Debug, Default)]
pub(super) struct Storage {
    files: Vec<OpenFile>,
    state: Mutex<FaultState>,
}

#[derive(Debug, Default)]
struct FaultState {
    /// The last fault of a call, until a health check clears it. Other calls that succeed do not: a full disk can still
    /// take small writes.
    fault: Option<StorageFault>,
    /// Whether an integrity check was started since damage was found.
    check_started: bool,
}

/// A file, as it was when the database was opened.
#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl Storage {
    /// The storage of the open database at a path.
    ///
    /// # Errors
    /// The metadata of a file cannot be read.
    pub(super) fn for_database(path: &Path) -> io::Result<Self> {
        let files = [path.to_owned(), wal_path(path)].into_iter().map(|path| {
            let identity = file_identity(&path)?;
            Ok(OpenFile { path, identity })
        });
        Ok(Self { files: files.collect::<io::Result<_>>()?, state: Mutex::default() })
    }

    /// Returns the current fault, if any. Reads the metadata of the files.
    pub(super) fn fault(&self) -> Option<StorageFault> {
        if self.is_in_place() { self.state().fault } else { Some(StorageFault::Missing) }
    }

    /// Confirms that a write went to the files that the next start will open.
    ///
    /// # Errors
    /// [`StorageFault::Missing`] if they were removed or replaced.
    pub(super) fn verify_in_place(&self) -> Result<(), TableError> {
        if self.is_in_place() {
            return Ok(());
        }
        let path = self.files.first().map(|file| file.path.display().to_string()).unwrap_or_default();
        let detail = format!("{path} is not the file that was opened");
        Err(TableError::Storage(StorageFault::Missing, detail))
    }

    /// Records the fault of a call, and returns it, refined. The first time that damage is found, starts an integrity
    /// check in the background, which logs its result.
    pub(super) fn record_fault(self: &Arc<Self>, fault: StorageFault) -> StorageFault {
        let directory = self.files.first().and_then(|file| file.path.parent());
        let fault = directory.map_or(fault, |directory| refine_fault(fault, directory));
        let starts_check = {
            let mut state = self.state();
            state.fault = Some(fault);
            fault == StorageFault::Damaged && !std::mem::replace(&mut state.check_started, true)
        };
        if starts_check && let Some(file) = self.files.first() {
            let (storage, path) = (Arc::clone(self), file.path.clone());
            tokio::task::spawn_blocking(move || storage.check_integrity(&path));
        }
        fault
    }

    /// Clears a disk fault, after as much as a request may write was written. Damage stays.
    pub(super) fn record_recovery(&self) {
        let mut state = self.state();
        if matches!(state.fault, Some(StorageFault::Full | StorageFault::Failing)) {
            state.fault = None;
        }
    }

    fn check_integrity(&self, path: &Path) {
        match integrity::check(path) {
            Ok(problems) if problems.is_empty() => {
                tracing::warn!(
                    path = %path.display(),
                    "a call found the database damaged, but the integrity check found nothing"
                );
                *self.state() = FaultState::default();
            }
            Ok(problems) => {
                for problem in problems {
                    tracing::error!(path = %path.display(), problem, "the database is damaged; restore a backup");
                }
            }
            Err(problem) => {
                tracing::error!(
                    path = %path.display(),
                    %problem,
                    "the database is damaged, and cannot be checked; restore a backup"
                );
            }
        }
    }

    /// Whether the files are still the ones that were opened.
    pub(super) fn is_in_place(&self) -> bool {
        self.files
            .iter()
            .all(|file| file_identity(&file.path).is_ok_and(|identity| identity == file.identity))
    }

    fn state(&self) -> MutexGuard<'_, FaultState> {
        // No update under the lock can panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The path of a database's write-ahead log, which exists while the database is open.
fn wal_path(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// Device and inode of a file, which distinguish it from a later file of the same name.
pub(super) fn file_identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Returns [`StorageFault::Full`] for a failing disk that is full, otherwise the same fault. `SQLite` reports a full
/// disk under some of its files, or an exceeded quota, as an I/O error.
pub(super) fn refine_fault(fault: StorageFault, directory: &Path) -> StorageFault {
    if fault == StorageFault::Failing && private_file::is_disk_full(directory) {
        StorageFault::Full
    } else {
        fault
    }
}

/// Returns the storage fault behind an error of the database, if it has one.
pub(super) fn storage_fault(error: &DynoxideError) -> Option<StorageFault> {
    match error {
        DynoxideError::SqliteError(error) => error.sqlite_error_code().and_then(fault_from_code),
        DynoxideError::InternalServerError(text) => fault_from_text(text),
        _ => None,
    }
}

/// Returns the storage fault of an `SQLite` error code, if it is one.
pub(super) fn fault_from_code(code: ErrorCode) -> Option<StorageFault> {
    match code {
        ErrorCode::DiskFull => Some(StorageFault::Full),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(StorageFault::Damaged),
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly => {
            Some(StorageFault::Failing)
        }
        _ => None,
    }
}

/// Finds a storage fault by its text: the embedded database passes some `SQLite` errors on as text only. `SQLite` has
/// the same texts in every version.
fn fault_from_text(text: &str) -> Option<StorageFault> {
    let faults = [
        ("database or disk is full", StorageFault::Full),
        ("disk image is malformed", StorageFault::Damaged),
        ("not a valid database", StorageFault::Damaged),
        ("not a valid SQLite database", StorageFault::Damaged),
        ("file is not a database", StorageFault::Damaged),
        ("I/O error", StorageFault::Failing),
        ("unable to open database file", StorageFault::Failing),
        ("attempt to write a readonly database", StorageFault::Failing),
    ];
    faults.into_iter().find(|(part, _)| text.contains(part)).map(|(_, fault)| fault)
}

/// Whether another program has locked the database, so that a retry will succeed.
pub(super) fn is_locked(error: &DynoxideError) -> bool {
    match error {
        DynoxideError::SqliteError(error) => {
            matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
        }
        DynoxideError::InternalServerError(text) => text.contains("database is locked"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    #[test]
    fn storage_fault_is_detected_from_code_and_text() {
        let of_code = |code| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            storage_fault(&DynoxideError::SqliteError(error))
        };
        let of_text = |text: &str| storage_fault(&DynoxideError::InternalServerError(text.to_owned()));
        for (code, text, fault) in [
            (ffi::SQLITE_FULL, "backend: database or disk is full", Some(StorageFault::Full)),
            (ffi::SQLITE_CORRUPT, "backend: database disk image is malformed", Some(StorageFault::Damaged)),
            (ffi::SQLITE_NOTADB, "backend: not a valid database", Some(StorageFault::Damaged)),
            (ffi::SQLITE_IOERR_WRITE, "backend: I/O error: disk I/O error", Some(StorageFault::Failing)),
            (ffi::SQLITE_BUSY, "backend: database is locked or busy", None),
        ] {
            assert_eq!((of_code(code), of_text(text)), (fault, fault), "{text}");
        }
    }
}
