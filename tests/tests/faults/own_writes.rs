//! What a tenant says of its vaults and keys, and an admin of tenants: written without a job, and repeated where the answer
//! was lost. The repetition meets what it has written itself.

use std::time::Duration;

use imageshare::Service;
use imageshare::domain::{
    Caller, Details, Entry, Protection, Role, Status, Timestamp, VaultDetails, VaultStatus, Visibility,
};
use imageshare::store::StoreError;
use imageshare::usecases::{self, DirectoryRefusal, GrantRefusal, NewImage, Refusal, VaultRefusal};
use imageshare_tests::service::{caller, tenant};
use imageshare_tests::table_server::Fault::{Conflict, LostAnswer, Silence, Throttled};
use imageshare_tests::world::World;

use super::TRANSACTION;

const UPDATE: &str = "UpdateItem";
const DELETE: &str = "DeleteItem";

/// Of what is asked for: it is done, it is refused, or it has to be asked for again.
#[derive(Debug, PartialEq)]
enum Told {
    Done,
    InUse,
    Unknown,
    Later,
}

async fn put_vault(service: &Service, id: &str, capacity_gib: u32) -> Told {
    let details =
        VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib };
    match usecases::put_vault(service, &caller("a"), id.parse().unwrap(), &details).await {
        Ok(put) if put.vault.details == details => Told::Done,
        Err(VaultRefusal::InUse(_)) => Told::InUse,
        Err(VaultRefusal::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_))) => Told::Later,
        other => panic!("{other:?}"),
    }
}

async fn delete_vault(service: &Service, id: &str) -> Told {
    match usecases::delete_vault(service, &caller("a"), id.parse().unwrap()).await {
        Ok(()) => Told::Done,
        Err(VaultRefusal::InUse(_)) => Told::InUse,
        Err(VaultRefusal::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_))) => Told::Later,
        Err(other) => panic!("{other:?}"),
    }
}

async fn capacity(service: &Service, id: &str) -> Option<u32> {
    match usecases::show_vault(service, &caller("a"), id.parse().unwrap()).await {
        Ok(found) => Some(found.vault.details.capacity_gib),
        Err(VaultRefusal::NotFound(_)) => None,
        Err(other) => panic!("{other:?}"),
    }
}

/// A vault of `a`'s by that name, of which an accepted image holds 60 GiB.
async fn vault_in_use(world: &World, id: &str) {
    let made = [("__whole_image", "true"), ("__backup_id", "b"), ("__system_disk_backup_gib", "60")];
    let properties = made.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let details = Details { properties, ..Details::default() };
    let new = NewImage { id: None, owner: None, visibility: Visibility::Shared, details };
    let image = usecases::register_image(world.service(), &caller("owner"), new).await.unwrap().id;
    usecases::add_member(world.service(), &caller("owner"), &image, &tenant("a")).await.unwrap();
    assert_eq!(put_vault(world.service(), id, 100).await, Told::Done);
    let said = (Ok(Status::Accepted), Some(id.parse().unwrap()));
    usecases::answer_as_member(world.service(), &caller("a"), &image, &tenant("a"), said).await.unwrap();
}

#[tokio::test]
async fn a_vault_is_put_and_deleted_as_if_no_answer_had_been_lost() {
    let world = World::start().await;
    let service = world.service();
    vault_in_use(&world, "used").await;
    for fault in [LostAnswer, Conflict, Throttled] {
        let failing = |operation| world.database().fail(operation, fault, 2);
        for (id, capacity_gib, told) in [
            ("free", 10, Told::Done),
            ("free", 5, Told::Done),
            ("used", 60, Told::Done),
            ("used", 59, Told::InUse),
        ] {
            failing(UPDATE);
            assert_eq!(put_vault(service, id, capacity_gib).await, told, "{fault:?} {id} {capacity_gib}");
            world.database().heal();
        }
        assert_eq!((capacity(service, "free").await, capacity(service, "used").await), (Some(5), Some(60)));
        for (id, told) in [("free", Told::Done), ("free", Told::Done), ("used", Told::InUse)] {
            failing(DELETE);
            assert_eq!(delete_vault(service, id).await, told, "{fault:?} {id}");
            world.database().heal();
        }
        assert_eq!((capacity(service, "free").await, capacity(service, "used").await), (None, Some(60)));
    }
}

async fn grant(service: &Service) -> Result<Timestamp, GrantRefusal> {
    let (owner, key) = (caller("owner"), "key".parse().unwrap());
    Ok(usecases::grant_key(service, &owner, key, tenant("a")).await?.created)
}

async fn withdraw(service: &Service) -> Told {
    let (owner, key) = (caller("owner"), "key".parse().unwrap());
    match usecases::withdraw_key_grant(service, &owner, key, tenant("a"), 1).await {
        Ok(_) => Told::Done,
        Err(GrantRefusal::List(Refusal::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_)))) => {
            Told::Later
        }
        Err(other) => panic!("{other:?}"),
    }
}

async fn granted(service: &Service) -> Option<Timestamp> {
    let (owner, key) = (caller("owner"), "key".parse().unwrap());
    usecases::show_key_grant(service, &owner, key, tenant("a")).await.ok().map(|granted| granted.created)
}

#[tokio::test]
async fn a_key_is_granted_and_withdrawn_as_if_no_answer_had_been_lost() {
    let world = World::start().await;
    for fault in [LostAnswer, Conflict, Throttled] {
        world.database().fail(UPDATE, fault, 2);
        let since = grant(world.service()).await.unwrap();
        assert_eq!((granted(world.service()).await, world.database().faults_left()), (Some(since), 0));
        world.database().fail(UPDATE, fault, 1);
        assert_eq!(grant(world.service()).await, Ok(since), "{fault:?}: it was granted already");
        world.database().fail(DELETE, fault, 2);
        assert_eq!(withdraw(world.service()).await, Told::Done);
        assert_eq!((granted(world.service()).await, world.database().faults_left()), (None, 0), "{fault:?}");
    }
}

fn entry(project: &str) -> Entry {
    let [account, project, region] = ["acme", project, "local"];
    Entry {
        tenant: tenant("t"),
        account: account.parse().unwrap(),
        project: project.parse().unwrap(),
        region: region.parse().unwrap(),
    }
}

async fn put_tenant(service: &Service, project: &str) -> Told {
    match usecases::put_tenant(service, &admin(), &entry(project)).await {
        Ok(()) => Told::Done,
        Err(DirectoryRefusal::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_))) => Told::Later,
        Err(other) => panic!("{other:?}"),
    }
}

async fn delete_tenant(service: &Service) -> Told {
    match usecases::delete_tenant(service, &admin(), &tenant("t")).await {
        Ok(()) => Told::Done,
        Err(DirectoryRefusal::NotFound(_)) => Told::Unknown,
        Err(DirectoryRefusal::Store(StoreError::Unavailable(_) | StoreError::InDoubt(_))) => Told::Later,
        Err(other) => panic!("{other:?}"),
    }
}

fn admin() -> Caller {
    Caller { role: Role::Admin, ..caller("admin") }
}

#[tokio::test]
async fn a_tenant_is_put_and_deleted_as_if_no_answer_had_been_lost() {
    let world = World::start().await;
    for fault in [LostAnswer, Conflict, Throttled] {
        for project in ["first", "second"] {
            world.database().fail(TRANSACTION, fault, 2);
            assert_eq!(put_tenant(world.service(), project).await, Told::Done, "{fault:?}");
            assert_eq!(world.database().faults_left(), 0);
            let found = usecases::show_tenant(world.service(), &admin(), &tenant("t")).await;
            assert_eq!(found, Ok(entry(project)), "{fault:?}");
        }
        world.database().fail(TRANSACTION, fault, 2);
        assert_eq!(delete_tenant(world.service()).await, Told::Done, "{fault:?}");
        assert_eq!(world.database().faults_left(), 0);
        assert_eq!(delete_tenant(world.service()).await, Told::Unknown, "{fault:?}");
    }
}

/// Nobody answers; what was asked is done nevertheless. Who asks again is told so.
#[tokio::test]
async fn what_was_done_without_an_answer_can_be_asked_for_again() {
    let world = World::start().await;
    let silent = async |operation| {
        world.database().heal();
        world.database().fail(operation, Silence, 1);
        world.service().until(tokio::time::Instant::now() + Duration::from_secs(2))
    };
    let service = world.service();
    assert_eq!(put_vault(&silent(UPDATE).await, "v", 7).await, Told::Later);
    assert_eq!((capacity(service, "v").await, put_vault(service, "v", 7).await), (Some(7), Told::Done));
    assert_eq!(delete_vault(&silent(DELETE).await, "v").await, Told::Later);
    assert_eq!((capacity(service, "v").await, delete_vault(service, "v").await), (None, Told::Done));
    assert!(grant(&silent(UPDATE).await).await.is_err());
    let since = granted(service).await;
    assert_eq!((since.is_some(), grant(service).await.ok()), (true, since));
    assert_eq!(withdraw(&silent(DELETE).await).await, Told::Later);
    assert_eq!((granted(service).await, withdraw(service).await), (None, Told::Done));
    assert_eq!(put_tenant(&silent(TRANSACTION).await, "first").await, Told::Later);
    assert_eq!(put_tenant(service, "first").await, Told::Done);
    assert_eq!(delete_tenant(&silent(TRANSACTION).await).await, Told::Later);
    assert_eq!(
        delete_tenant(service).await,
        Told::Unknown,
        "as of every tenant that is not in the directory"
    );
}
