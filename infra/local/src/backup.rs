//! Backs up a data directory, also while its server runs; restores a backup into an empty directory; checks a
//! directory.
//!
//! A backup is one file: a snapshot of the database, with the server's keys in a table of its own. Because it has the
//! keys, only its owner can read it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, ffi};

use crate::keys::KEY_FILES;
use crate::private_file;
use crate::progress::Stage;
use crate::table::layout::{self, DirectoryVersion, LAYOUT};
use crate::table::{DATABASE_FILE, OpenError, integrity, lock_directory};

/// The table of a backup that holds the server's keys.
const KEYS_TABLE: &str = "imageshare_backup";

/// Pages to copy between two progress reports: 4 MB.
const PAGES_PER_STEP: i32 = 1024;

/// Why a backup, a restore or a check failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no database in the data directory.
    #[error("there is no database in {}: name the data directory with --data", .0.display())]
    MissingDatabase(PathBuf),
    /// The backup's file exists already.
    #[error("{} exists; name a new file with --to, since a backup replaces nothing", .0.display())]
    FileExists(PathBuf),
    /// The data directory is not empty.
    #[error(
        "{} is not empty ({file} is there), and a restore replaces nothing: move it away, or name another directory \
         with --data",
        .directory.display()
    )]
    NotEmpty {
        /// The directory.
        directory: PathBuf,
        /// A file in it.
        file: String,
    },
    /// `imageshare backup` did not write the file.
    #[error("{} is not a backup of imageshare", .0.display())]
    NotABackup(PathBuf),
    /// The database is damaged.
    #[error(
        "the database in {} is damaged: {}\nRestore the last sound backup with `imageshare restore --from FILE --data \
         NEW_DIRECTORY`",
        .path.display(), .problems.join("\n")
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the integrity check found.
        problems: Vec<String>,
    },
    /// A later version of this program wrote the backup.
    #[error(
        "{} was written by {writer}, and this is {}, which supports layouts up to {LAYOUT}, not {layout}. Restore it \
         with that version",
        .path.display(), env!("CARGO_PKG_VERSION")
    )]
    NewerLayout {
        /// The backup.
        path: PathBuf,
        /// The version that wrote it.
        writer: String,
        /// Its layout.
        layout: u32,
    },
    /// The data directory is in use.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A database cannot be read or written.
    #[error("cannot copy {}: {source}", .path.display())]
    Database {
        /// The file that was read.
        path: PathBuf,
        /// The database's error.
        source: rusqlite::Error,
    },
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", .path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl BackupError {
    fn file_error(path: &Path) -> impl Fn(io::Error) -> Self + '_ {
        move |source| Self::File { path: path.to_owned(), source }
    }

    fn database_error(path: &Path) -> impl Fn(rusqlite::Error) -> Self + '_ {
        move |source| match source.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
                Self::Damaged { path: path.to_owned(), problems: vec![source.to_string()] }
            }
            _ => Self::Database { path: path.to_owned(), source },
        }
    }
}

/// The result of checking a sound data directory.
#[derive(Debug)]
pub struct CheckReport {
    directory: PathBuf,
    version: DirectoryVersion,
    bytes: u64,
}

impl std::fmt::Display for CheckReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { directory, version, bytes } = self;
        write!(
            f,
            "{} is sound: {bytes} bytes, layout {}, last opened by {}",
            directory.display(),
            version.layout,
            version.writer()
        )
    }
}

/// Writes a backup of a data directory to a new file. The server may be running: everything that it acknowledged before
/// the call is in the backup. The copy is checked before it gets its name. `report` is called at each stage.
///
/// # Errors
/// [`BackupError`]. A failed backup leaves no file, and an existing file is not changed.
pub fn backup(data: &Path, to: &Path, report: &dyn Fn(Stage)) -> Result<(), BackupError> {
    let path = database_path(data)?;
    if to.exists() {
        return Err(BackupError::FileExists(to.to_owned()));
    }
    let folder = parent_directory(to);
    let (target_error, source_error) = (BackupError::file_error(to), BackupError::database_error(&path));
    let draft = private_file::create_draft(folder).map_err(&target_error)?;
    let mut copy = copy_database(&path, draft.path(), PAGES_PER_STEP, report).map_err(&source_error)?;
    store_keys(&mut copy, data, &path)?;
    check_integrity(&copy, &path, report)?;
    copy.close().map_err(|(_, problem)| source_error(problem))?;
    draft.as_file().sync_all().map_err(&target_error)?;
    draft.persist_noclobber(to).map_err(|problem| match problem.error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::FileExists(to.to_owned()),
        _ => target_error(problem.error),
    })?;
    sync_directory(folder)
}

/// Restores a backup into an empty data directory, and creates the directory if it is missing. The backup is checked
/// first. `report` is called at each stage.
///
/// # Errors
/// [`BackupError`]. A failed restore leaves no database in the directory.
pub fn restore(from: &Path, data: &Path, report: &dyn Fn(Stage)) -> Result<(), BackupError> {
    let source_error = BackupError::database_error(from);
    let source = open_backup(from)?;
    check_integrity(&source, from, report)?;
    private_file::create_directory(data).map_err(BackupError::file_error(data))?;
    let _lock = lock_directory(data)?;
    ensure_empty(data)?;
    let draft = private_file::create_draft(data).map_err(BackupError::file_error(data))?;
    let copy = copy_database(from, draft.path(), PAGES_PER_STEP, report).map_err(&source_error)?;
    let drop_keys = format!("PRAGMA secure_delete = ON; DROP TABLE {KEYS_TABLE};");
    copy.execute_batch(&drop_keys).map_err(&source_error)?;
    copy.close().map_err(|(_, problem)| source_error(problem))?;
    for (name, text) in load_keys(&source).map_err(&source_error)? {
        // The names come from the file: create no others.
        if KEY_FILES.contains(&name.as_str()) {
            let path = data.join(name);
            private_file::publish(data, &path, &text).map_err(BackupError::file_error(&path))?;
        }
    }
    draft.as_file().sync_all().map_err(BackupError::file_error(data))?;
    // The database comes last: a directory without one was not restored.
    let path = data.join(DATABASE_FILE);
    draft.persist_noclobber(&path).map_err(|problem| BackupError::file_error(&path)(problem.error))?;
    sync_directory(data)
}

/// Checks a data directory, also while its server runs. Reads the whole database; calls `report` before.
///
/// # Errors
/// [`BackupError`] if the database is damaged or cannot be read.
pub fn check(data: &Path, report: &dyn Fn(Stage)) -> Result<CheckReport, BackupError> {
    let path = database_path(data)?;
    let failed = BackupError::database_error(&path);
    let connection = open_database(&path).map_err(&failed)?;
    check_integrity(&connection, &path, report)?;
    let version = layout::read_connection(&connection).map_err(&failed)?;
    let bytes = fs::metadata(&path).map_err(BackupError::file_error(&path))?.len();
    Ok(CheckReport { directory: data.to_owned(), version, bytes })
}

fn database_path(data: &Path) -> Result<PathBuf, BackupError> {
    let path = data.join(DATABASE_FILE);
    if path.exists() { Ok(path) } else { Err(BackupError::MissingDatabase(data.to_owned())) }
}

fn parent_directory(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn open_database(path: &Path) -> rusqlite::Result<Connection> {
    // A killed server leaves a write-ahead log, which only a connection that can write is able to read.
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Copies a snapshot of a database into an empty file, while others read and write it. Reports progress every
/// `pages_per_step` pages.
fn copy_database(
    from: &Path,
    to: &Path,
    pages_per_step: i32,
    report: &dyn Fn(Stage),
) -> rusqlite::Result<Connection> {
    let (source, mut copy) = (open_database(from)?, Connection::open(to)?);
    // A transaction that has read keeps its snapshot. Without one, each write by another connection would start the
    // copy from the beginning.
    let snapshot = source.unchecked_transaction()?;
    snapshot.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    let backup = Backup::new(&source, &mut copy)?;
    loop {
        let step = backup.step(pages_per_step)?;
        let (left, all) = (backup.progress().remaining, backup.progress().pagecount);
        let count = |pages: i32| u64::try_from(pages).unwrap_or_default();
        report(Stage::Copying { pages: count(all - left), page_count: count(all) });
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            // Busy or locked: both connections have already waited for the lock.
            _ => return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)),
        }
    }
    drop(backup);
    drop(snapshot);
    // A backup is one file, without a log beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(copy)
}

fn store_keys(copy: &mut Connection, data: &Path, path: &Path) -> Result<(), BackupError> {
    let failed = BackupError::database_error(path);
    let create = format!("CREATE TABLE {KEYS_TABLE} (file TEXT PRIMARY KEY, text TEXT NOT NULL)");
    copy.execute_batch(&create).map_err(&failed)?;
    for name in KEY_FILES {
        let key = data.join(name);
        match fs::read_to_string(&key) {
            Ok(text) => {
                let insert = format!("INSERT INTO {KEYS_TABLE} VALUES (?1, ?2)");
                copy.execute(&insert, (name, text)).map_err(&failed)?;
            }
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
            Err(problem) => return Err(BackupError::file_error(&key)(problem)),
        }
    }
    Ok(())
}

fn load_keys(backup: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut select = backup.prepare(&format!("SELECT file, text FROM {KEYS_TABLE}"))?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn check_integrity(connection: &Connection, path: &Path, report: &dyn Fn(Stage)) -> Result<(), BackupError> {
    report(Stage::Checking);
    match integrity::check_connection(connection).map_err(BackupError::database_error(path))? {
        problems if problems.is_empty() => Ok(()),
        problems => Err(BackupError::Damaged { path: path.to_owned(), problems }),
    }
}

/// Rejects a directory that has any file of a server.
fn ensure_empty(data: &Path) -> Result<(), BackupError> {
    let log = format!("{DATABASE_FILE}-wal");
    for file in KEY_FILES.into_iter().chain([DATABASE_FILE, &log]) {
        if data.join(file).exists() {
            return Err(BackupError::NotEmpty { directory: data.to_owned(), file: file.to_owned() });
        }
    }
    Ok(())
}

/// Opens a backup.
///
/// # Errors
/// The file is not a backup, or a later version wrote it.
fn open_backup(from: &Path) -> Result<Connection, BackupError> {
    fs::metadata(from).map_err(BackupError::file_error(from))?;
    let not_a_backup = |_| BackupError::NotABackup(from.to_owned());
    let connection = open_database(from).map_err(not_a_backup)?;
    if !connection.table_exists(None, KEYS_TABLE).map_err(not_a_backup)? {
        return Err(BackupError::NotABackup(from.to_owned()));
    }
    let version = layout::read_connection(&connection).map_err(BackupError::database_error(from))?;
    if version.layout > LAYOUT {
        return Err(BackupError::NewerLayout {
            path: from.to_owned(),
            writer: version.writer(),
            layout: version.layout,
        });
    }
    Ok(connection)
}

fn sync_directory(folder: &Path) -> Result<(), BackupError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(BackupError::file_error(folder))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::os::unix::fs::{FileExt, PermissionsExt};

    use imageshare::table::{AttributeValue, Item, Key, Table, Write};

    use super::*;
    use crate::keys::{SigningKey, open_master_keys};
    use crate::table::{EmbeddedTable, Lane};

    fn ignore(_: Stage) {}

    fn key(number: usize) -> Key {
        [("pk", format!("{number:05}")), ("sk", "A".to_owned())]
            .map(|(name, text)| (name.to_owned(), AttributeValue::S(text)))
            .into()
    }

    async fn put(table: &EmbeddedTable, number: usize) {
        let mut item: Item = key(number);
        item.insert("text".to_owned(), AttributeValue::S("x".repeat(2_000)));
        table.lane(Lane::Request).write_item(&Write::put(item)).await.unwrap();
    }

    async fn has(table: &EmbeddedTable, number: usize) -> bool {
        !table.lane(Lane::Request).get_item(&key(number)).await.unwrap().items.is_empty()
    }

    #[tokio::test]
    async fn backup_of_running_table_is_restored_with_keys() {
        let parent = tempfile::tempdir().unwrap();
        let (data, file) = (parent.path().join("data"), parent.path().join("backup"));
        let (signing, masters) =
            (SigningKey::open_or_create(&data).unwrap(), open_master_keys(&data).unwrap());
        let table = EmbeddedTable::open(Some(&data)).unwrap();
        for number in 0..300 {
            put(&table, number).await;
        }
        backup(&data, &file, &ignore).unwrap();
        put(&table, 300).await;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(check(&data, &ignore).unwrap().to_string().contains("is sound"));
        assert!(matches!(restore(&file, &data, &ignore), Err(BackupError::Open(OpenError::InUse(_)))));
        table.close().await;
        drop(table);
        assert!(matches!(restore(&file, &data, &ignore), Err(BackupError::NotEmpty { .. })));

        let restored = parent.path().join("restored/data");
        restore(&file, &restored, &ignore).unwrap();
        let mut files: Vec<_> = fs::read_dir(&restored)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, ["master-keys.txt", "signing-keys.json", DATABASE_FILE]);
        for file in &files {
            let mode = fs::metadata(restored.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        assert_eq!(SigningKey::open_or_create(&restored).unwrap().jwks(), signing.jwks());
        assert_eq!(open_master_keys(&restored).unwrap(), masters);
        let table = EmbeddedTable::open(Some(&restored)).unwrap();
        assert_eq!((has(&table, 299).await, has(&table, 300).await), (true, false));
        let left = Connection::open(restored.join(DATABASE_FILE)).unwrap().table_exists(None, KEYS_TABLE);
        assert_eq!(left, Ok(false), "the keys are in their own files");
    }

    #[tokio::test]
    async fn backup_requires_database_and_never_overwrites() {
        let parent = tempfile::tempdir().unwrap();
        let (data, file) = (parent.path().join("data"), parent.path().join("backup"));
        assert!(matches!(backup(&data, &file, &ignore), Err(BackupError::MissingDatabase(_))));
        assert!(matches!(check(&data, &ignore), Err(BackupError::MissingDatabase(_))));
        fs::create_dir(&data).unwrap();
        EmbeddedTable::open(Some(&data)).unwrap().close().await;
        fs::write(&file, "something else").unwrap();
        assert!(matches!(backup(&data, &file, &ignore), Err(BackupError::FileExists(_))));
        assert_eq!(fs::read_to_string(&file).unwrap(), "something else");
        for from in [&file, &data.join(DATABASE_FILE)] {
            let refused = restore(from, &parent.path().join("other"), &ignore);
            assert!(matches!(refused, Err(BackupError::NotABackup(_))), "{refused:?}");
        }
        assert!(!parent.path().join("other").exists());
    }

    #[tokio::test]
    async fn damaged_database_is_detected_and_not_copied() {
        let parent = tempfile::tempdir().unwrap();
        let (data, file) = (parent.path().join("data"), parent.path().join("backup"));
        fs::create_dir(&data).unwrap();
        let table = EmbeddedTable::open(Some(&data)).unwrap();
        for number in 0..300 {
            put(&table, number).await;
        }
        table.close().await;
        drop(table);
        backup(&data, &file, &ignore).unwrap();
        let damage = |path: &Path| {
            let file = File::options().write(true).open(path).unwrap();
            let pages = file.metadata().unwrap().len() / 4096;
            file.write_all_at(&[0xAA; 4096], pages / 2 * 4096).unwrap();
        };
        damage(&data.join(DATABASE_FILE));
        let other = parent.path().join("other");
        for refused in [check(&data, &ignore).map(drop), backup(&data, &other, &ignore)] {
            assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{refused:?}");
        }
        assert!(!other.exists());
        damage(&file);
        assert!(matches!(restore(&file, &other, &ignore), Err(BackupError::Damaged { .. })));
        assert!(!other.join(DATABASE_FILE).exists());
    }

    #[tokio::test]
    async fn backup_with_newer_layout_is_rejected() {
        let parent = tempfile::tempdir().unwrap();
        let (data, file) = (parent.path().join("data"), parent.path().join("backup"));
        fs::create_dir(&data).unwrap();
        EmbeddedTable::open(Some(&data)).unwrap().close().await;
        backup(&data, &file, &ignore).unwrap();
        Connection::open(&file).unwrap().pragma_update(None, "user_version", LAYOUT + 1).unwrap();
        let refused = restore(&file, &parent.path().join("other"), &ignore).unwrap_err();
        assert!(refused.to_string().contains("Restore it with that version"), "{refused}");
    }

    #[tokio::test]
    async fn backup_check_and_restore_report_their_stages() {
        let parent = tempfile::tempdir().unwrap();
        let (data, file) = (parent.path().join("data"), parent.path().join("backup"));
        fs::create_dir(&data).unwrap();
        EmbeddedTable::open(Some(&data)).unwrap().close().await;
        let stages = RefCell::new(Vec::new());
        let report = |stage: Stage| stages.borrow_mut().push(stage);
        let is_copied =
            |stage: &Stage| matches!(stage, Stage::Copying { pages, page_count } if pages == page_count);
        backup(&data, &file, &report).unwrap();
        assert!(matches!(stages.take().as_slice(), [copied, Stage::Checking] if is_copied(copied)));
        check(&data, &report).unwrap();
        assert_eq!(stages.take(), [Stage::Checking]);
        restore(&file, &parent.path().join("restored"), &report).unwrap();
        assert!(matches!(stages.take().as_slice(), [Stage::Checking, copied] if is_copied(copied)));
    }

    #[test]
    fn copy_in_steps_is_one_snapshot_of_a_database_under_writes() {
        let parent = tempfile::tempdir().unwrap();
        let (from, to) = (parent.path().join("from"), parent.path().join("to"));
        let writer = Connection::open(&from).unwrap();
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        writer.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
        let write = || writer.execute("INSERT INTO notes VALUES (?1)", ["x".repeat(2_000)]).unwrap();
        for _ in 0..100 {
            write();
        }
        let steps = RefCell::new(Vec::new());
        let report = |stage: Stage| {
            // A write after each of the first steps.
            if steps.borrow().len() < 3 {
                write();
            }
            steps.borrow_mut().push(stage);
        };
        let copy = copy_database(&from, &to, 8, &report).unwrap();
        let count = |of: &Connection| of.query_row("SELECT count(*) FROM notes", [], |row| row.get(0));
        assert_eq!((count(&copy), count(&writer)), (Ok(100), Ok(103)));
        let steps = steps.into_inner();
        let Some(Stage::Copying { page_count, .. }) = steps.first().copied() else { panic!("{steps:?}") };
        let copied = |step: u64| Stage::Copying { pages: page_count.min(8 * step), page_count };
        let wanted: Vec<_> = (1..=page_count.div_ceil(8)).map(copied).collect();
        assert!(wanted.len() > 3 && steps == wanted, "{steps:?}");
    }
}
