//! Files that only their owner can read, made by whoever needs them first.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::keys::KeyError;

/// Reads the file of that name; makes the directory and the file if there is none. Whoever comes at the same time reads
/// the same. Returns the file's path and contents.
pub(crate) fn read_or_make(
    directory: &Path,
    name: &str,
    make: impl FnOnce() -> Result<String, KeyError>,
) -> Result<(PathBuf, String), KeyError> {
    let is_there = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    is_there.map_err(KeyError::file(directory))?;
    let path = directory.join(name);
    if let Some(text) = read(&path)? {
        return Ok((path, text));
    }
    let text = make()?;
    publish(directory, &path, &text).map_err(KeyError::file(&path))?;
    // Somebody else's file may have been there first.
    let text = read(&path)?.unwrap_or(text);
    Ok((path, text))
}

/// Reads a file; `None` where there is none.
pub(crate) fn read(path: &Path) -> Result<Option<String>, KeyError> {
    match fs::read_to_string(path) {
        Ok(text) => {
            warn_if_others_can_read(path);
            Ok(Some(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(KeyError::file(path)(error)),
    }
}

fn warn_if_others_can_read(path: &Path) {
    if fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        tracing::warn!(path = %path.display(), "others than the owner can read the server's secrets");
    }
}

/// Puts the whole file in its place, unless one is there: a link is made at once or not at all.
fn publish(directory: &Path, path: &Path, text: &str) -> io::Result<()> {
    let mut draft =
        tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o600)).tempfile_in(directory)?;
    draft.write_all(text.as_bytes())?;
    draft.as_file().sync_all()?;
    match fs::hard_link(draft.path(), path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => File::open(directory)?.sync_all(),
    }
}
