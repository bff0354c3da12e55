use std::fs;
use std::path::Path;

use dynoxide::ImportOptions;
use imageshare::table::{AttributeValue as Attribute, Item, Table, Write};
use rusqlite::Connection;

use super::*;
use crate::table::EmbeddedTable;
use crate::table::convert::to_item;

const PAST: i64 = 1_000_000_000;
const FUTURE: i64 = 99_999_999_999;

fn item_key(number: usize) -> Item {
    let text = |text: String| Attribute::S(text);
    [("pk", text(format!("I#{number:06}"))), ("sk", text("A".to_owned()))]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

fn item(number: usize, ttl: Option<i64>) -> Item {
    let mut item = item_key(number);
    item.insert("text".to_owned(), Attribute::S("x".repeat(1_500)));
    item.extend(ttl.map(|ttl| (TTL.to_owned(), Attribute::N(ttl.to_string()))));
    item
}

async fn put(table: &EmbeddedTable, number: usize, ttl: Option<i64>) {
    table.lane(Lane::Request).write_item(&Write::put(item(number, ttl))).await.unwrap();
}

/// Writes items, every `every`-th of them expired.
fn fill(table: &EmbeddedTable, items: usize, every: usize) {
    let ttl = |number: usize| (number % every == every - 1).then_some(PAST);
    let items = (0..items).map(|number| to_item(&item(number, ttl(number))).unwrap()).collect();
    table.database().import_items(TABLE, items, ImportOptions::default()).unwrap();
}

fn item_count(table: &EmbeddedTable) -> i64 {
    let stats = table.database().table_stats().unwrap();
    stats.iter().find(|table| table.table_name == TABLE).map(|table| table.item_count).unwrap()
}

async fn exists(table: &EmbeddedTable, number: usize) -> bool {
    !table.lane(Lane::Request).get_item(&item_key(number)).await.unwrap().items.is_empty()
}

fn now() -> i64 {
    Timestamp::now().unix_seconds()
}

/// Makes calls of a pass until a number of items is deleted.
fn step_until_deleted(pass: &mut CleanupPass, database: &Database, items: usize) {
    while pass.report.items < items {
        assert!(pass.step(database, now()).unwrap());
    }
}

#[tokio::test]
async fn only_expired_items_are_deleted() {
    let table = EmbeddedTable::open(None).unwrap();
    for (number, ttl) in [None, Some(PAST), Some(FUTURE)].into_iter().enumerate() {
        put(&table, number, ttl).await;
    }
    let other =
        Write::put(item(7, None).into_iter().chain([(TTL.to_owned(), Attribute::S("1".into()))]).collect());
    table.lane(Lane::Request).write_item(&other).await.unwrap();
    assert_eq!(table.remove_expired().await.unwrap().items, 1);
    for (number, stays) in [(0, true), (1, false), (2, true), (7, true)] {
        assert_eq!(exists(&table, number).await, stays, "{number}");
    }
    assert_eq!(table.remove_expired().await.unwrap().items, 0);
}

#[tokio::test]
async fn item_is_alive_at_its_expiry_second() {
    let table = EmbeddedTable::open(None).unwrap();
    put(&table, 0, Some(2_000)).await;
    for (now, items) in [(1_999, 0), (2_000, 0), (2_001, 1)] {
        let mut pass = CleanupPass::resume(table.database()).unwrap();
        while pass.step(table.database(), now).unwrap() {}
        assert_eq!(pass.report.items, items, "{now}");
    }
}

#[tokio::test]
async fn item_renewed_after_page_read_is_kept() {
    let table = EmbeddedTable::open(None).unwrap();
    fill(&table, 60, 1);
    let mut pass = CleanupPass::resume(table.database()).unwrap();
    assert!(pass.step(table.database(), now()).unwrap());
    assert_eq!((pass.expired.len(), pass.report.items), (60, 0));
    put(&table, 3, Some(FUTURE)).await;
    put(&table, 55, None).await;
    while pass.step(table.database(), now()).unwrap() {}
    assert_eq!((pass.report.items, item_count(&table)), (58, 2));
    assert!(exists(&table, 3).await && exists(&table, 55).await);
}

#[tokio::test]
async fn stopped_pass_resumes_at_its_cursor() {
    let directory = tempfile::tempdir().unwrap();
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    fill(&table, 1_000, 2);
    let mut pass = CleanupPass::resume(table.database()).unwrap();
    step_until_deleted(&mut pass, table.database(), 200);
    // The process dies here: after a deletion, with more expired items found but not deleted.
    assert!(pass.step(table.database(), now()).unwrap());
    table.close().await;
    drop(table);

    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    let removed = table.remove_expired().await.unwrap();
    assert_eq!((removed.items, item_count(&table)), (300, 500));
    assert_eq!(removed.pages, 7, "600 items and the end; the first 400 are not read again");
    // The next pass starts at the beginning.
    put(&table, 0, Some(PAST)).await;
    assert_eq!(table.remove_expired().await.unwrap().items, 1);
}

#[tokio::test]
async fn stopped_pass_without_deletions_resumes_at_its_cursor() {
    let table = EmbeddedTable::open(None).unwrap();
    let items = (PAGES_PER_CHECKPOINT + 2) * PAGE_SIZE;
    fill(&table, items, items);
    let mut pass = CleanupPass::resume(table.database()).unwrap();
    for _ in 0..=PAGES_PER_CHECKPOINT {
        assert!(pass.step(table.database(), now()).unwrap());
    }
    assert_eq!(pass.report, CleanupReport { pages: PAGES_PER_CHECKPOINT, ..CleanupReport::default() });
    let removed = table.remove_expired().await.unwrap();
    assert_eq!((removed.items, removed.pages), (1, 3));
}

#[tokio::test]
async fn deletion_starts_before_the_scan_ends() {
    let table = EmbeddedTable::open(None).unwrap();
    fill(&table, 3_000, 10);
    let mut pass = CleanupPass::resume(table.database()).unwrap();
    step_until_deleted(&mut pass, table.database(), 1);
    assert_eq!((pass.report.items, pass.report.pages), (BATCH_SIZE, 3), "300 of 3,000 items were read");
}

/// Counts the commits in a database's write-ahead log: the frames that have the size of the database after the commit.
fn wal_commit_count(database: &Path) -> usize {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let log = fs::read(database.with_extension("sqlite-wal")).unwrap();
    let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
    let salt = &log[16..24];
    let frames = log[HEADER..].chunks(FRAME_HEADER + page);
    frames.filter(|frame| &frame[8..16] == salt && frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn one_flush_per_deleted_batch() {
    let directory = tempfile::tempdir().unwrap();
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    fill(&table, 400, 2);
    table.opened.database_file.as_ref().unwrap().truncate_wal().unwrap();
    let removed = run_pass(&table.scheduler).await.unwrap();
    assert_eq!((removed.items, removed.transactions), (200, 200 / BATCH_SIZE));
    // Deleting the cursor at the end of the pass is a commit too.
    assert_eq!(wal_commit_count(&directory.path().join("table.sqlite")), 200 / BATCH_SIZE + 1);
}

#[tokio::test]
async fn pass_without_deletions_writes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    fill(&table, 250, 1_000);
    table.opened.database_file.as_ref().unwrap().truncate_wal().unwrap();
    let removed = table.remove_expired().await.unwrap();
    assert_eq!(removed, CleanupReport { pages: 3, ..CleanupReport::default() });
    assert_eq!(fs::metadata(directory.path().join("table.sqlite-wal")).unwrap().len(), 0);
}

#[test]
fn pass_uses_a_tenth_of_busy_and_half_of_idle_time() {
    for took in [1, 500, 20_000].map(Duration::from_micros) {
        assert_eq!((took + pause_after(took, false), took + pause_after(took, true)), (took * 10, took * 2));
    }
}

fn directory_size(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

/// Removes all changes, as if the function had handled them. Until then they take space: the items that were deleted are
/// among them.
async fn remove_changes(table: &EmbeddedTable) {
    while let Some(last) = table.changes(1_000).await.unwrap().last() {
        table.remove_changes(last.number).await.unwrap();
    }
}

#[tokio::test]
async fn database_file_shrinks_after_large_deletion() {
    let directory = tempfile::tempdir().unwrap();
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    fill(&table, 2_500, 1);
    for number in (0..2_500).step_by(10) {
        put(&table, number, None).await;
    }
    let before = directory_size(directory.path());
    assert_eq!(table.remove_expired().await.unwrap().items, 2_250);
    remove_changes(&table).await;
    let removed = table.remove_expired().await.unwrap();
    let after = directory_size(directory.path());
    assert!(after < before / 2, "{before} bytes before, {after} after");
    assert!(removed.freed_bytes > before / 3, "{removed:?}");
    assert_eq!(fs::metadata(directory.path().join("table.sqlite-wal")).unwrap().len(), 0);
    assert!(exists(&table, 0).await && !exists(&table, 1).await);
    put(&table, 1, None).await;
    table.close().await;
    drop(table);
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    assert_eq!(item_count(&table), 251);
}

#[tokio::test]
async fn file_without_auto_vacuum_is_converted_and_shrinks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("table.sqlite");
    let database = Database::new(path.to_str().unwrap()).unwrap();
    super::super::open::create_tables(&database).unwrap();
    drop(database);
    let mode = |path: &Path| {
        let connection = Connection::open(path).unwrap();
        connection.pragma_query_value(None, "auto_vacuum", |row| row.get::<_, u32>(0)).unwrap()
    };
    assert_eq!(mode(&path), 0);
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    assert_eq!(mode(&path), 2);
    fill(&table, 1_500, 1);
    remove_changes(&table).await;
    table.remove_expired().await.unwrap();
    remove_changes(&table).await;
    assert!(table.remove_expired().await.unwrap().freed_bytes > 0);
    assert_eq!(table.health().await, Ok(()));
}

#[tokio::test]
async fn closed_table_deletes_nothing() {
    let table = EmbeddedTable::open(None).unwrap();
    table.close().await;
    assert!(matches!(table.remove_expired().await, Err(CleanupError::Call(CallError::Closed))));
}
