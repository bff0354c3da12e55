use std::fs::File;

use imageshare::table::{
    AttributeValue, CONDITION_FAILED, Item, Key, Query, Table, TableError, TransactionToken, Write,
};

use super::layout::LAYOUT;
use super::*;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn key(id: &str) -> Key {
    Key::from([("pk".to_owned(), text(id)), ("sk".to_owned(), text("A"))])
}

fn item(id: &str, name: &str, value: AttributeValue) -> Item {
    let mut item = key(id);
    item.insert(name.to_owned(), value);
    item
}

#[tokio::test]
async fn written_item_survives_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    let requests = table.lane(Lane::Request);
    requests.write_item(&Write::put(key("a"))).await.unwrap();
    table.close().await;
    assert!(matches!(requests.get_item(&key("a")).await, Err(TableError::Closed(_))), "closed");
    drop((table, requests));

    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    let found = table.lane(Lane::Worker).get_item(&key("a")).await.unwrap();
    assert_eq!(found.items, [key("a")]);
}

#[tokio::test]
async fn directory_is_locked_by_one_process() {
    let directory = tempfile::tempdir().unwrap();
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    let refused = EmbeddedTable::open(Some(directory.path())).err().unwrap();
    assert!(matches!(refused, OpenError::InUse(_)), "{refused}");
    for file in std::fs::read_dir(directory.path()).unwrap() {
        std::fs::remove_file(file.unwrap().path()).unwrap();
    }
    let refused = EmbeddedTable::open(Some(directory.path())).err().unwrap();
    assert!(matches!(refused, OpenError::InUse(_)), "without its files: {refused}");
    table.close().await;
    drop(table);
    assert!(EmbeddedTable::open(Some(directory.path())).is_ok());
}

#[tokio::test]
async fn write_fails_after_database_files_are_removed() {
    let parent = tempfile::tempdir().unwrap();
    let (directory, elsewhere) = (parent.path().join("data"), parent.path().join("elsewhere"));
    std::fs::create_dir(&directory).unwrap();
    let table = EmbeddedTable::open(Some(&directory)).unwrap();
    let requests = table.lane(Lane::Request);
    let write = Write::put(key("a"));
    requests.write_item(&write).await.unwrap();
    assert_eq!(table.health().await, Ok(()));
    std::fs::rename(&directory, &elsewhere).unwrap();
    std::fs::create_dir(&directory).unwrap();
    let missing = HealthError::Storage(StorageFault::Missing);
    for written in [
        requests.write_item(&write).await,
        requests.transact_write_items(std::slice::from_ref(&write), TransactionToken::random()).await,
    ] {
        assert!(matches!(written, Err(TableError::Storage(StorageFault::Missing, _))), "{written:?}");
    }
    assert_eq!(table.health().await, Err(missing));
    std::fs::remove_dir(&directory).unwrap();
    std::fs::rename(&elsewhere, &directory).unwrap();
    requests.write_item(&write).await.unwrap();
    assert_eq!(table.health().await, Ok(()));
}

#[tokio::test]
async fn large_write_clears_the_disk_full_fault() {
    let directory = tempfile::tempdir().unwrap();
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    table.opened.storage.record_fault(StorageFault::Full);
    table.lane(Lane::Request).write_item(&Write::put(key("a"))).await.unwrap();
    assert_eq!(
        table.opened.storage.fault(),
        Some(StorageFault::Full),
        "a small write does not clear the fault"
    );
    assert_eq!((table.health().await, table.opened.storage.fault()), (Ok(()), None));
}

#[tokio::test]
async fn database_files_are_private_in_any_directory() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let open_to_all = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(directory.path(), open_to_all(0o755)).unwrap();
    for _ in 0..2 {
        let table = EmbeddedTable::open(Some(directory.path())).unwrap();
        table.lane(Lane::Request).write_item(&Write::put(key("a"))).await.unwrap();
        for file in std::fs::read_dir(directory.path()).unwrap().map(Result::unwrap) {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{file:?}");
            // As an earlier version created it.
            std::fs::set_permissions(file.path(), open_to_all(0o644)).unwrap();
        }
        table.close().await;
    }
}

#[tokio::test]
async fn damage_is_reported_checked_and_remembered() {
    use std::os::unix::fs::FileExt;
    let directory = tempfile::tempdir().unwrap();
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    let put = async |number: usize| {
        let item = item(&format!("{number:05}"), "text", text(&"x".repeat(2_000)));
        table.lane(Lane::Request).write_item(&Write::put(item)).await
    };
    for number in 0..2_000 {
        put(number).await.unwrap();
    }
    table.close().await;
    drop(table);
    let path = directory.path().join(DATABASE_FILE);
    let file = File::options().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in pages * 6 / 10..pages * 9 / 10 {
        file.write_all_at(&[0xAA; 4096], page * 4096).unwrap();
    }
    let table = EmbeddedTable::open(Some(directory.path())).unwrap();
    let mut read = Ok(());
    for number in (0..2_000).step_by(10) {
        let found = table.lane(Lane::Request).get_item(&key(&format!("{number:05}"))).await;
        read = read.and(found.map(drop));
    }
    assert!(matches!(read, Err(TableError::Storage(StorageFault::Damaged, _))), "{read:?}");
    assert_eq!(table.health().await, Err(HealthError::Storage(StorageFault::Damaged)));
    assert!(!integrity::check(&path).unwrap().is_empty());
}

#[test]
fn invalid_database_file_error_suggests_restore() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(DATABASE_FILE), "not a database".repeat(1000)).unwrap();
    let refused = EmbeddedTable::open(Some(directory.path())).err().unwrap().to_string();
    assert!(refused.contains("is damaged") && refused.contains("imageshare restore --from"), "{refused}");
}

#[tokio::test]
async fn unversioned_directory_is_migrated_and_newer_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(DATABASE_FILE);
    EmbeddedTable::open(Some(directory.path())).unwrap().close().await;
    let set_layout = |layout: u32| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("DROP TABLE imageshare_directory").unwrap();
        connection.pragma_update(None, "user_version", layout).unwrap();
    };
    set_layout(0);
    EmbeddedTable::open(Some(directory.path())).unwrap().close().await;
    let program = Some(env!("CARGO_PKG_VERSION").to_owned());
    assert_eq!(layout::read_file(&path).unwrap(), Some(layout::DirectoryVersion { layout: LAYOUT, program }));
    set_layout(LAYOUT + 1);
    let refused = EmbeddedTable::open(Some(directory.path())).err().unwrap();
    assert!(matches!(refused, OpenError::NewerLayout { .. }), "{refused}");
    assert!(refused.to_string().contains("Start that version"), "{refused}");
}

#[tokio::test]
async fn failed_condition_returns_the_old_item() {
    let table = EmbeddedTable::open(None).unwrap();
    let requests = table.lane(Lane::Request);
    let put = Write::put(item("a", "n", text("1"))).only_if("attribute_not_exists(pk)");
    requests.write_item(&put).await.unwrap();
    let Err(TableError::Canceled(reasons)) = requests.write_item(&put).await else { panic!("written twice") };
    assert_eq!(reasons[0].code.as_deref(), Some(CONDITION_FAILED));
    assert_eq!(reasons[0].found, Some(item("a", "n", text("1"))));
}

#[tokio::test]
async fn only_committed_work_items_are_notified() {
    let table = EmbeddedTable::open(None).unwrap();
    let requests = table.lane(Lane::Request);
    let (work_item, other) = (item("a", "gpk", text("W#0")), item("a", "gpk", text("O#owner")));
    let work = table.work_notify();
    let mut notified = std::pin::pin!(work.notified());
    requests.write_item(&Write::put(other.clone())).await.unwrap();
    requests.transact_write_items(&[Write::put(other)], TransactionToken::random()).await.unwrap();
    let refused = Write::put(work_item.clone()).only_if("attribute_not_exists(pk)");
    requests.write_item(&refused).await.unwrap_err();
    assert!(!notified.as_mut().enable());
    requests.write_item(&Write::put(work_item.clone())).await.unwrap();
    notified.await;
    let notified = work.notified();
    requests.transact_write_items(&[Write::put(work_item)], TransactionToken::random()).await.unwrap();
    notified.await;
}

/// Queues lists of a hundred items for one tenant, then a read for another. Returns the calls in the order in which
/// they end.
async fn completion_order(lists: usize) -> Vec<&'static str> {
    let table = EmbeddedTable::open(None).unwrap();
    let requests = table.lane(Lane::Request);
    for number in 0..100 {
        let mut item = item("listed", "text", text(&"x".repeat(100)));
        item.insert("sk".to_owned(), text(&format!("{number:03}")));
        requests.write_item(&Write::put(item)).await.unwrap();
    }
    let of = |tenant: &str| requests.for_tenant(&tenant.parse().unwrap()).unwrap();
    let waiting = async |count: usize| {
        while table.scheduler.waiting_request_count() < count {
            tokio::task::yield_now().await;
        }
    };
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let lanes = Arc::clone(&table.scheduler);
    let held = tokio::spawn(async move {
        let hold = move |_: &OpenDatabase| {
            begun.send(()).unwrap();
            gate.recv().unwrap();
        };
        lanes.run(&lanes.lane_queue(Lane::Request), hold).await.unwrap();
    });
    has_begun.await.unwrap();

    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..lists {
        let (table, sender) = (of("busy"), sender.clone());
        tokio::spawn(async move {
            let query = Query::new("pk = :pk").value(":pk", text("listed"));
            assert_eq!(table.query(&query).await.unwrap().count, 100);
            sender.send("list").unwrap();
        });
    }
    waiting(lists.min(256)).await;
    let other = of("other");
    tokio::spawn(async move {
        other.get_item(&key("a")).await.unwrap();
        sender.send("read").unwrap();
    });
    waiting(lists.min(256) + 1).await;
    open.send(()).unwrap();
    held.await.unwrap();
    let mut order = Vec::new();
    while let Some(call) = receiver.recv().await {
        order.push(call);
    }
    order
}

#[tokio::test]
async fn read_overtakes_queued_lists_of_another_tenant() {
    let order = completion_order(64).await;
    assert_eq!(order.len(), 65);
    let before = order.iter().position(|call| *call == "read").unwrap();
    // A turn of the other tenant has at most four calls. Calls that end together may be received in any order.
    assert!(before <= 8, "{before}");
}

#[tokio::test]
async fn tenant_over_queue_capacity_does_not_block_others() {
    let order = completion_order(1_000).await;
    assert_eq!(order.len(), 1_001);
    let before = order.iter().position(|call| *call == "read").unwrap();
    assert!(before <= 8, "{before}");
}

#[tokio::test]
async fn unused_tenant_queues_are_removed() {
    let lanes = CallScheduler::new("test", ()).unwrap();
    for number in 0..10_000 {
        let queue = lanes.tenant_queue(&format!("tenant-{number}").parse().unwrap());
        lanes.run(&queue, |()| ()).await.unwrap();
    }
    assert!(lanes.tenant_queue_count() <= 64);
}
