//! Files that only their owner can read, made by whoever needs them first.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::key_error::KeyError;

/// Reads the file of that name; makes the directory and the file if there is none. Whoever comes at the same time reads
/// the same. Returns the file's path and contents.
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
    // Somebody else's file may have been there first.
    let text = read(&path)?.unwrap_or(text);
    Ok((path, text))
}

/// Makes a directory that only its owner can open, unless there is one.
pub(crate) fn create_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// A file without a name that is known, which is removed unless it gets one.
pub(crate) fn create_draft(directory: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".imageshare-").permissions(fs::Permissions::from_mode(0o600)).tempfile_in(directory)
}

/// Whether a directory has no room for a little more: what the system says of that is not always passed on.
pub(crate) fn is_disk_full(directory: &Path) -> bool {
    let written = create_draft(directory).and_then(|mut draft| draft.write_all(&vec![0; 65_536]));
    written.is_err_and(|problem| {
        matches!(problem.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    })
}

/// Reads a file; `None` where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>, KeyError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            if let Err(problem) = make_private(path) {
                tracing::warn!(path = %path.display(), %problem, "others than the owner can read the server's secrets");
            }
            Ok(Some(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeyError::file_error(path)(error)),
    }
}

/// Makes an empty file, unless there is one, and takes from others than its owner what they may do with it and with what the
/// database keeps beside it.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    File::options().create(true).append(true).mode(0o600).open(path)?;
    for beside in ["", "-wal", "-shm"] {
        let mut path = path.as_os_str().to_owned();
        path.push(beside);
        match make_private(Path::new(&path)) {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
            _ => {}
        }
    }
    Ok(())
}

/// Takes from others than the owner of a file what they may do with it.
fn make_private(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

/// Puts the whole file in its place, unless one is there: a link is made at once or not at all.
pub(crate) fn publish(directory: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut draft = create_draft(directory)?;
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    match fs::hard_link(draft.path(), path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(directory)?.sync_all(),
    }
}
