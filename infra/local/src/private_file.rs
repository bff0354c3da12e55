//! Files that only their owner can read, created on first use.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::key_error::KeyError;

/// Reads a file; creates the directory and the file, with the contents of `make`, if they are missing. Concurrent calls
/// return the same contents. Returns the file's path and contents.
pub(crate) fn read_or_create(
    directory: &Path,
    name: &str,
    make: impl FnOnce() -> Result<String, KeyError>,
) -> Result<(PathBuf, String), KeyError> {
    create_directory(directory).map_err(KeyError::file_error(directory))?;
    let path = directory.join(name);
    if let Some(text) = read(&path)? {
        return Ok((path, text));
    }
    let text = make()?;
    publish(directory, &path, &text).map_err(KeyError::file_error(&path))?;
    // Another process may have created the file first.
    let text = read(&path)?.unwrap_or(text);
    Ok((path, text))
}

/// Creates a directory that only its owner can open. Does nothing if it exists.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Creates a temporary file, which is removed unless it gets another name.
pub(crate) fn create_draft(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".imageshare-").permissions(fs::Permissions::from_mode(0o600)).tempfile_in(directory)
}

/// Whether the disk of a directory is full, by writing 64 KB: `SQLite` does not always report it.
pub(crate) fn is_disk_full(directory: &Path) -> bool {
    let written = create_draft(directory).and_then(|mut draft| draft.write_all(&vec![0; 65_536]));
    written.is_err_and(|problem| {
        matches!(problem.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    })
}

/// Reads a file, and makes it private. `None` if there is no file.
pub(crate) fn read(path: &Path) -> Result<Option<String>, KeyError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            if let Err(problem) = make_private(path) {
                tracing::warn!(
                    path = %path.display(),
                    %problem,
                    "others can read the file with the server's secrets, and it cannot be made private"
                );
            }
            Ok(Some(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeyError::file_error(path)(error)),
    }
}

/// Reads a file without changing it: keys that several servers share may be on a read-only file system, and belong to
/// another user. `None` if there is no file.
pub(crate) fn read_as_is(path: &Path) -> Result<Option<String>, KeyError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeyError::file_error(path)(error)),
    }
}

/// Creates an empty file, unless it exists, and makes it and the database's files beside it private.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    File::options().create(true).append(true).mode(0o600).open(path)?;
    for suffix in ["", "-wal", "-shm"] {
        let mut path = path.as_os_str().to_owned();
        path.push(suffix);
        match make_private(Path::new(&path)) {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
            _ => {}
        }
    }
    Ok(())
}

/// Removes the permissions of a file for all but its owner.
fn make_private(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

/// Writes a file atomically, unless it exists: the file appears complete, by a hard link, or not at all.
pub(crate) fn publish(directory: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut draft = create_draft(directory)?;
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    match fs::hard_link(draft.path(), path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(directory)?.sync_all(),
    }
}
