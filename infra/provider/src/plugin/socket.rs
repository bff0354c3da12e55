//! The socket that Terraform connects to, where no other user reaches it.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::UnixListener;

use super::handshake::StartError;

/// How often another name is tried.
const ATTEMPTS: u32 = 16;

/// A socket in a directory of its own, which only this user can enter. Both are removed when it is dropped.
pub(super) struct Socket {
    listener: UnixListener,
    directory: Directory,
}

impl Socket {
    /// Binds a new one, in `PLUGIN_UNIX_SOCKET_DIR` or the directory for temporary files.
    pub(super) fn bind() -> Result<Self, StartError> {
        let parent = env::var_os("PLUGIN_UNIX_SOCKET_DIR").filter(|directory| !directory.is_empty());
        Self::bind_in(&parent.map_or_else(env::temp_dir, PathBuf::from))
    }

    fn bind_in(parent: &Path) -> Result<Self, StartError> {
        let failed = |path: &Path, problem| StartError::Socket(path.display().to_string(), problem);
        let directory = Directory::create_in(parent).map_err(|problem| failed(parent, problem))?;
        let path = directory.socket();
        let listener = UnixListener::bind(&path).map_err(|problem| failed(&path, problem))?;
        Ok(Self { listener, directory })
    }

    pub(super) fn listener(&self) -> &UnixListener {
        &self.listener
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.socket()
    }
}

/// A directory that is removed when this is dropped.
struct Directory(PathBuf);

impl Directory {
    /// Creates one with a new name. One that exists already is never taken.
    fn create_in(parent: &Path) -> io::Result<Self> {
        let mut result = Err(io::ErrorKind::AlreadyExists.into());
        for _ in 0..ATTEMPTS {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            // Short, since the path of a socket may have about a hundred bytes.
            let path = parent.join(format!("tf-{:x}-{:x}", std::process::id(), now.subsec_nanos()));
            result = DirBuilder::new().mode(0o700).create(&path).map(|()| Self(path));
            if !matches!(&result, Err(problem) if problem.kind() == io::ErrorKind::AlreadyExists) {
                break;
            }
        }
        result
    }

    fn socket(&self) -> PathBuf {
        self.0.join("socket")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is left to the clean-up of the directory for temporary files.
        let _ = fs::remove_file(self.socket());
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[tokio::test]
    async fn socket_is_private_and_removed_at_the_end() {
        let parent = tempfile::tempdir().unwrap();
        let socket = Socket::bind_in(parent.path()).unwrap();
        let directory = socket.path().parent().unwrap().to_owned();
        assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(socket.path().exists());
        drop(socket);
        assert!(!directory.exists());
    }

    #[tokio::test]
    async fn directory_that_is_missing_is_named() {
        let parent = tempfile::tempdir().unwrap().path().join("missing");
        let problem = Socket::bind_in(&parent).err().unwrap().to_string();
        assert!(problem.contains("missing"), "{problem}");
    }
}
