//! Writes without a job, of vaults, key grants and tenants, repeated because the response was lost. The repetition
//! meets its own first write.

use std::time::Duration;

use imageshare::App;
use imageshare::domain::{
    Caller, Details, DirectoryEntry, Protection, Role, Status, Timestamp, VaultDetails, VaultStatus,
    Visibility,
};
use imageshare::store::StoreError;
use imageshare::usecases::{self, DirectoryError, KeyGrantError, NewImage, UseCaseError, VaultError};
use imageshare_tests::deployment::Deployment;
use imageshare_tests::local_service::{caller, tenant};
use imageshare_tests::table_server::Fault::{Conflict, LostResponse, NoResponse, Throttled};

use super::TRANSACT_WRITE_ITEMS;

const UPDATE_ITEM: &str = "UpdateItem";
const DELETE_ITEM: &str = "DeleteItem";

/// The result of a write: done, refused, or to be repeated.
#[derive(Debug, PartialEq)]
enum WriteResult {
    Done,
    InUse,
    NotFound,
    Retry,
}

async fn put_vault(service: &App, id: &str, capacity_gib: u32) -> WriteResult {
    let details =
        VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib };
    match usecases::put_vault(service, &caller("a"), id.parse().unwrap(), &details).await {
        Ok(put) if put.vault.details == details => WriteResult::Done,
        Err(VaultError::InUse(_)) => WriteResult::InUse,
        Err(VaultError::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_))) => WriteResult::Retry,
        other => panic!("{other:?}"),
    }
}

async fn delete_vault(service: &App, id: &str) -> WriteResult {
    match usecases::delete_vault(service, &caller("a"), id.parse().unwrap()).await {
        Ok(()) => WriteResult::Done,
        Err(VaultError::InUse(_)) => WriteResult::InUse,
        Err(VaultError::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_))) => WriteResult::Retry,
        Err(other) => panic!("{other:?}"),
    }
}

async fn vault_capacity(service: &App, id: &str) -> Option<u32> {
    match usecases::show_vault(service, &caller("a"), id.parse().unwrap()).await {
        Ok(found) => Some(found.vault.details.capacity_gib),
        Err(VaultError::NotFound(_)) => None,
        Err(other) => panic!("{other:?}"),
    }
}

/// A vault of `a` with this name, in which an accepted image has reserved 60 GiB.
async fn create_vault_in_use(world: &Deployment, id: &str) {
    let made = [("__whole_image", "true"), ("__backup_id", "b"), ("__system_disk_backup_gib", "60")];
    let properties = made.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let details = Details { properties, ..Details::default() };
    let new = NewImage { id: None, owner: None, visibility: Visibility::Shared, details };
    let image = usecases::register_image(world.service(), &caller("owner"), new, None).await.unwrap().id;
    usecases::add_member(world.service(), &caller("owner"), &image, &tenant("a"), None).await.unwrap();
    assert_eq!(put_vault(world.service(), id, 100).await, WriteResult::Done);
    let decision = (Ok(Status::Accepted), Some(id.parse().unwrap()));
    usecases::decide_as_member(world.service(), &caller("a"), &image, &tenant("a"), decision).await.unwrap();
}

#[tokio::test]
async fn vault_put_and_delete_survive_lost_responses() {
    let world = Deployment::start().await;
    let service = world.service();
    create_vault_in_use(&world, "used").await;
    for fault in [LostResponse, Conflict, Throttled] {
        let failing = |operation| world.table_server().fail(operation, fault, 2);
        for (id, capacity_gib, expected) in [
            ("free", 10, WriteResult::Done),
            ("free", 5, WriteResult::Done),
            ("used", 60, WriteResult::Done),
            ("used", 59, WriteResult::InUse),
        ] {
            failing(UPDATE_ITEM);
            assert_eq!(put_vault(service, id, capacity_gib).await, expected, "{fault:?} {id} {capacity_gib}");
            world.table_server().clear_faults();
        }
        assert_eq!(
            (vault_capacity(service, "free").await, vault_capacity(service, "used").await),
            (Some(5), Some(60))
        );
        for (id, expected) in
            [("free", WriteResult::Done), ("free", WriteResult::Done), ("used", WriteResult::InUse)]
        {
            failing(DELETE_ITEM);
            assert_eq!(delete_vault(service, id).await, expected, "{fault:?} {id}");
            world.table_server().clear_faults();
        }
        assert_eq!(
            (vault_capacity(service, "free").await, vault_capacity(service, "used").await),
            (None, Some(60))
        );
    }
}

async fn grant_key(service: &App) -> Result<Timestamp, KeyGrantError> {
    let (owner, key) = (caller("owner"), "key".parse().unwrap());
    Ok(usecases::grant_key(service, &owner, key, tenant("a")).await?.created)
}

async fn revoke_key_grant(service: &App) -> WriteResult {
    let (owner, key) = (caller("owner"), "key".parse().unwrap());
    match usecases::revoke_key_grant(service, &owner, key, tenant("a"), 1).await {
        Ok(_) => WriteResult::Done,
        Err(KeyGrantError::UseCase(UseCaseError::Store(
            StoreError::Unavailable(_) | StoreError::InDoubt(_),
        ))) => WriteResult::Retry,
        Err(other) => panic!("{other:?}"),
    }
}

async fn granted_at(service: &App) -> Option<Timestamp> {
    let (owner, key) = (caller("owner"), "key".parse().unwrap());
    usecases::show_key_grant(service, &owner, key, tenant("a")).await.ok().map(|granted| granted.created)
}

#[tokio::test]
async fn key_grant_and_withdrawal_survive_lost_responses() {
    let world = Deployment::start().await;
    for fault in [LostResponse, Conflict, Throttled] {
        world.table_server().fail(UPDATE_ITEM, fault, 2);
        let since = grant_key(world.service()).await.unwrap();
        assert_eq!(
            (granted_at(world.service()).await, world.table_server().remaining_faults()),
            (Some(since), 0)
        );
        world.table_server().fail(UPDATE_ITEM, fault, 1);
        assert_eq!(grant_key(world.service()).await, Ok(since), "{fault:?}: the grant existed already");
        world.table_server().fail(DELETE_ITEM, fault, 2);
        assert_eq!(revoke_key_grant(world.service()).await, WriteResult::Done);
        assert_eq!(
            (granted_at(world.service()).await, world.table_server().remaining_faults()),
            (None, 0),
            "{fault:?}"
        );
    }
}

fn directory_entry(project: &str) -> DirectoryEntry {
    let [account, project, region] = ["acme", project, "local"];
    DirectoryEntry {
        tenant: tenant("t"),
        account: account.parse().unwrap(),
        project: project.parse().unwrap(),
        region: region.parse().unwrap(),
        organization: None,
        cloud_account: None,
    }
}

async fn put_tenant(service: &App, project: &str) -> WriteResult {
    match usecases::put_tenant(service, &admin(), &directory_entry(project)).await {
        Ok(()) => WriteResult::Done,
        Err(DirectoryError::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_))) => WriteResult::Retry,
        Err(other) => panic!("{other:?}"),
    }
}

async fn delete_tenant(service: &App) -> WriteResult {
    match usecases::delete_tenant(service, &admin(), &tenant("t")).await {
        Ok(()) => WriteResult::Done,
        Err(DirectoryError::NotFound(_)) => WriteResult::NotFound,
        Err(DirectoryError::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_))) => WriteResult::Retry,
        Err(other) => panic!("{other:?}"),
    }
}

fn admin() -> Caller {
    Caller { role: Role::Admin, ..caller("admin") }
}

#[tokio::test]
async fn tenant_put_and_delete_survive_lost_responses() {
    let world = Deployment::start().await;
    for fault in [LostResponse, Conflict, Throttled] {
        for project in ["first", "second"] {
            world.table_server().fail(TRANSACT_WRITE_ITEMS, fault, 2);
            assert_eq!(put_tenant(world.service(), project).await, WriteResult::Done, "{fault:?}");
            assert_eq!(world.table_server().remaining_faults(), 0);
            let found = usecases::show_tenant(world.service(), &admin(), &tenant("t")).await;
            assert_eq!(found, Ok(directory_entry(project)), "{fault:?}");
        }
        world.table_server().fail(TRANSACT_WRITE_ITEMS, fault, 2);
        assert_eq!(delete_tenant(world.service()).await, WriteResult::Done, "{fault:?}");
        assert_eq!(world.table_server().remaining_faults(), 0);
        assert_eq!(delete_tenant(world.service()).await, WriteResult::NotFound, "{fault:?}");
    }
}

/// There is no response, but the write is executed. A repetition returns success.
#[tokio::test]
async fn unacknowledged_writes_can_be_repeated() {
    let world = Deployment::start().await;
    let silent = async |operation| {
        world.table_server().clear_faults();
        world.table_server().fail(operation, NoResponse, 1);
        world.service().with_deadline(tokio::time::Instant::now() + Duration::from_secs(2))
    };
    let service = world.service();
    assert_eq!(put_vault(&silent(UPDATE_ITEM).await, "v", 7).await, WriteResult::Retry);
    assert_eq!(
        (vault_capacity(service, "v").await, put_vault(service, "v", 7).await),
        (Some(7), WriteResult::Done)
    );
    assert_eq!(delete_vault(&silent(DELETE_ITEM).await, "v").await, WriteResult::Retry);
    assert_eq!(
        (vault_capacity(service, "v").await, delete_vault(service, "v").await),
        (None, WriteResult::Done)
    );
    assert!(grant_key(&silent(UPDATE_ITEM).await).await.is_err());
    let since = granted_at(service).await;
    assert_eq!((since.is_some(), grant_key(service).await.ok()), (true, since));
    assert_eq!(revoke_key_grant(&silent(DELETE_ITEM).await).await, WriteResult::Retry);
    assert_eq!((granted_at(service).await, revoke_key_grant(service).await), (None, WriteResult::Done));
    assert_eq!(put_tenant(&silent(TRANSACT_WRITE_ITEMS).await, "first").await, WriteResult::Retry);
    assert_eq!(put_tenant(service, "first").await, WriteResult::Done);
    assert_eq!(delete_tenant(&silent(TRANSACT_WRITE_ITEMS).await).await, WriteResult::Retry);
    assert_eq!(
        delete_tenant(service).await,
        WriteResult::NotFound,
        "as of every tenant that is not in the directory"
    );
}
