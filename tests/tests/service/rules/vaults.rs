//! Seed 001: "When accepting a full-ECS image, you must specify a vault … The vault capacity must be no less than the total
//! capacities of the system disk and data disk backups."

use imageshare::domain::{
    ImageId, Limits, Outcome, PermissionChange, Protection, Status, Task, VaultDetails, VaultStatus,
    Visibility,
};
use imageshare::usecases::{self, DryRun, UseCaseError, VaultError};
use imageshare_tests::local_service::{LocalService, caller, tenant};
use imageshare_tests::totals;

use super::{
    FULL_ECS, execute_and_get_outcomes, execute_concurrently, member_status, queue_job,
    reshare_before_late_unshare, respond_and_execute, share, share_and_execute, start_service,
    unshare_and_execute,
};

const BACKUP_VAULT: VaultDetails =
    VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib: 100 };

async fn put_vault(
    world: &LocalService,
    tenant_id: &str,
    id: &str,
    details: VaultDetails,
) -> Result<u64, VaultError> {
    let vault =
        usecases::put_vault(&world.service, &caller(tenant_id), id.parse().unwrap(), &details).await?;
    Ok(vault.vault.reserved_gib)
}

async fn reserved_gib(world: &LocalService, tenant_id: &str, id: &str) -> u64 {
    let vault = usecases::show_vault(&world.service, &caller(tenant_id), id.parse().unwrap()).await.unwrap();
    vault.vault.reserved_gib
}

/// Full-ECS images of 60 GiB that are pending for `a`.
async fn create_pending_full_ecs_images(world: &LocalService, how_many: usize) -> Vec<ImageId> {
    let mut images = Vec::new();
    for _ in 0..how_many {
        images.push(world.create_image_with("owner", &FULL_ECS).await);
    }
    assert!(share_and_execute(world, &images, &["a"]).await.iter().all(|outcome| *outcome == Outcome::Done));
    images
}

#[tokio::test]
async fn acceptance_reserves_and_rejection_or_unshare_releases() {
    let world = start_service(Limits::default());
    let images = create_pending_full_ecs_images(&world, 2).await;
    let (first, second) = (&images[..1], &images[1..]);
    assert_eq!(put_vault(&world, "a", "v", BACKUP_VAULT).await, Ok(0));
    let accept = (Status::Accepted, Some("v"));
    assert_eq!(respond_and_execute(&world, first, "a", accept).await, [Outcome::Done]);
    assert_eq!(reserved_gib(&world, "a", "v").await, 60);
    assert_eq!(respond_and_execute(&world, second, "a", accept).await, [Outcome::VaultFull]);
    assert_eq!(member_status(&world, &second[0], "a").await, Some(Status::Pending));

    assert_eq!(respond_and_execute(&world, first, "a", (Status::Rejected, None)).await, [Outcome::Done]);
    assert_eq!(reserved_gib(&world, "a", "v").await, 0);
    assert_eq!(respond_and_execute(&world, second, "a", accept).await, [Outcome::Done]);
    unshare_and_execute(&world, second, &["a"]).await;
    assert_eq!(reserved_gib(&world, "a", "v").await, 0);
}

#[tokio::test]
async fn unsuitable_vault_is_reported_by_its_outcome() {
    let world = start_service(Limits::default());
    let images = create_pending_full_ecs_images(&world, 1).await;
    let replication = VaultDetails { protection: Protection::Replication, ..BACKUP_VAULT };
    let frozen = VaultDetails { status: VaultStatus::Frozen, ..BACKUP_VAULT };
    let small = VaultDetails { capacity_gib: 59, ..BACKUP_VAULT };
    for (id, details) in [("replication", replication), ("frozen", frozen), ("small", small)] {
        put_vault(&world, "a", id, details).await.unwrap();
    }
    put_vault(&world, "b", "theirs", BACKUP_VAULT).await.unwrap();
    for (vault, expected) in [
        (None, Outcome::NoVault),
        (Some("theirs"), Outcome::NoVault),
        (Some("replication"), Outcome::NotABackupVault),
        (Some("frozen"), Outcome::VaultUnavailable),
        (Some("small"), Outcome::VaultFull),
    ] {
        assert_eq!(
            respond_and_execute(&world, &images, "a", (Status::Accepted, vault)).await,
            [expected],
            "{vault:?}"
        );
    }
    assert_eq!(reserved_gib(&world, "b", "theirs").await, 0);
    let other = world.create_image("owner").await;
    share_and_execute(&world, std::slice::from_ref(&other), &["a"]).await;
    let accepted = respond_and_execute(&world, &[other], "a", (Status::Accepted, None)).await;
    assert_eq!(accepted, [Outcome::Done], "no other image needs a vault");
}

#[tokio::test]
async fn released_capacity_equals_reserved_capacity() {
    let world = start_service(Limits::default());
    let images = create_pending_full_ecs_images(&world, 1).await;
    put_vault(&world, "a", "v", BACKUP_VAULT).await.unwrap();
    put_vault(&world, "a", "w", BACKUP_VAULT).await.unwrap();
    respond_and_execute(&world, &images, "a", (Status::Accepted, Some("v"))).await;
    for vault in [None, Some("v")] {
        assert_eq!(
            respond_and_execute(&world, &images, "a", (Status::Accepted, vault)).await,
            [Outcome::Done]
        );
        assert_eq!(reserved_gib(&world, "a", "v").await, 60, "accepting again reserves nothing more");
    }
    respond_and_execute(&world, &images, "a", (Status::Accepted, Some("w"))).await;
    assert_eq!((reserved_gib(&world, "a", "v").await, reserved_gib(&world, "a", "w").await), (0, 60));
    usecases::delete_image(&world.service, &caller("owner"), &images[0]).await.unwrap();
    world.run_open_work().await;
    assert_eq!(reserved_gib(&world, "a", "w").await, 0);
    totals::assert_consistent(&world.embedded);
}

#[tokio::test]
async fn late_unshare_and_permission_removal_release_the_vault() {
    let world = start_service(Limits::default());
    let images = create_pending_full_ecs_images(&world, 1).await;
    let (image, owner, a) = (&images[0], caller("owner"), caller("a"));
    put_vault(&world, "a", "v", BACKUP_VAULT).await.unwrap();
    respond_and_execute(&world, &images, "a", (Status::Accepted, Some("v"))).await;
    reshare_before_late_unshare(&world, image, "a").await;
    assert_eq!(
        member_status(&world, image, "a").await,
        Some(Status::Pending),
        "shared anew since it was accepted"
    );
    assert_eq!(reserved_gib(&world, "a", "v").await, 0);

    respond_and_execute(&world, &images, "a", (Status::Accepted, Some("v"))).await;
    let late = queue_job(&world, Task::Unshare, &images, &["a"]).await;
    let again = queue_job(&world, Task::Share, &images, &["a"]).await;
    let newest = world.open_work_items().await.into_iter().find(|work_item| work_item.job == again).unwrap();
    usecases::execute(&world.service, newest).await.unwrap();
    // It waits for the earlier request.
    let decision = (Ok(Status::Accepted), Some("v".parse().unwrap()));
    let response = usecases::decide_as_member(&world.service, &a, image, &a.tenant, decision);
    let (response, late) = tokio::join!(response, execute_and_get_outcomes(&world, late));
    response.unwrap();
    assert_eq!(late, [Outcome::Superseded]);
    assert_eq!(member_status(&world, image, "a").await, Some(Status::Accepted), "since it was shared anew");
    assert_eq!(reserved_gib(&world, "a", "v").await, 60);

    let removal = PermissionChange::new([].into(), [tenant("a")].into()).unwrap();
    usecases::change_permissions(&world.service, &owner, image, &removal, DryRun::Off).await.unwrap();
    assert_eq!((member_status(&world, image, "a").await, reserved_gib(&world, "a", "v").await), (None, 0));
    totals::assert_consistent(&world.embedded);
}

#[tokio::test]
async fn backup_size_of_a_hidden_image_with_members_cannot_change() {
    let world = start_service(Limits::default());
    let image = create_pending_full_ecs_images(&world, 1).await.remove(0);
    put_vault(&world, "a", "v", BACKUP_VAULT).await.unwrap();
    respond_and_execute(&world, std::slice::from_ref(&image), "a", (Status::Accepted, Some("v"))).await;
    let change = async |visibility, gib: &str| {
        let change = |image: &mut imageshare::domain::Image| {
            image.visibility = visibility;
            image.details.properties.insert("__data_disk_backup_gib".to_owned(), gib.to_owned());
            Ok::<_, UseCaseError>(())
        };
        usecases::update_image(&world.service, &caller("owner"), &image, change).await.map(drop)
    };
    let refused = Err(UseCaseError::SharedImageImmutable(image.clone()));
    assert_eq!(change(Visibility::Private, "10").await, refused);
    assert_eq!(change(Visibility::Private, "20").await, Ok(()));
    assert_eq!(change(Visibility::Private, "10").await, refused);
    assert_eq!(reserved_gib(&world, "a", "v").await, 60, "it is accepted still");
    unshare_and_execute(&world, std::slice::from_ref(&image), &["a"]).await;
    assert_eq!(reserved_gib(&world, "a", "v").await, 0);
    assert_eq!(change(Visibility::Shared, "10").await, Ok(()));
}

#[tokio::test]
async fn vault_in_use_cannot_be_deleted_or_shrunk() {
    let world = start_service(Limits::default());
    let images = create_pending_full_ecs_images(&world, 1).await;
    let id = || "v".parse().unwrap();
    put_vault(&world, "a", "v", BACKUP_VAULT).await.unwrap();
    respond_and_execute(&world, &images, "a", (Status::Accepted, Some("v"))).await;
    let in_use = VaultError::InUse(id());
    assert_eq!(
        put_vault(&world, "a", "v", VaultDetails { capacity_gib: 59, ..BACKUP_VAULT }).await,
        Err(in_use.clone())
    );
    assert_eq!(usecases::delete_vault(&world.service, &caller("a"), id()).await, Err(in_use));
    let full = VaultDetails { capacity_gib: 60, status: VaultStatus::Frozen, ..BACKUP_VAULT };
    assert_eq!(put_vault(&world, "a", "v", full).await, Ok(60));
    respond_and_execute(&world, &images, "a", (Status::Rejected, None)).await;
    usecases::delete_vault(&world.service, &caller("b"), id()).await.unwrap();
    assert_eq!(reserved_gib(&world, "a", "v").await, 0, "nobody deletes another's vault");
    usecases::delete_vault(&world.service, &caller("a"), id()).await.unwrap();
    let gone = usecases::show_vault(&world.service, &caller("a"), id()).await;
    assert_eq!(gone, Err(VaultError::NotFound(id())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_acceptances_respect_the_vault_capacity() {
    let world = start_service(Limits { images_per_tenant: 1000, ..Limits::default() });
    let images = create_pending_full_ecs_images(&world, 200).await;
    put_vault(&world, "a", "v", VaultDetails { capacity_gib: 60 * 77 + 59, ..BACKUP_VAULT }).await.unwrap();
    let (a, mut jobs) = (caller("a"), Vec::new());
    let decision = || (Status::Accepted, Some("v".parse().unwrap()));
    for image in &images {
        let job = usecases::respond(&world.service, &a, tenant("a"), vec![image.clone()], decision(), None);
        jobs.push(job.await.unwrap());
    }
    execute_concurrently(&world).await;
    totals::assert_consistent(&world.embedded);
    assert_eq!(reserved_gib(&world, "a", "v").await, 60 * 77);
    let mut accepted = 0;
    for job in jobs {
        accepted += usize::from(execute_and_get_outcomes(&world, job).await == [Outcome::Done]);
    }
    assert_eq!(accepted, 77);

    // Concurrent rejections, unshares and new acceptances, by jobs and by Glance's calls.
    let mut at_once = Vec::new();
    for (number, image) in images.iter().cloned().enumerate() {
        let service = world.service.clone();
        at_once.push(tokio::spawn(async move {
            let a = caller("a");
            let status = if number % 3 == 0 { Status::Rejected } else { Status::Accepted };
            let decision = (Ok(status), Some("v".parse().unwrap()));
            match number % 5 {
                0 => usecases::remove_member(&service, &caller("owner"), &image, &a.tenant).await,
                _ => usecases::decide_as_member(&service, &a, &image, &a.tenant, decision).await.map(drop),
            }
        }));
    }
    for result in at_once {
        let decision = result.await.unwrap();
        let full = |refusal: &UseCaseError| {
            matches!(refusal, UseCaseError::RuleViolation { outcome: Outcome::VaultFull, .. })
        };
        assert!(decision.is_ok() || decision.as_ref().is_err_and(full), "{decision:?}");
    }
    assert!(reserved_gib(&world, "a", "v").await <= 60 * 77 + 59);
    totals::assert_consistent(&world.embedded);
}

#[tokio::test]
async fn full_ecs_share_needs_a_backup_and_few_recipients() {
    let world = start_service(Limits::default());
    let unbacked = world.create_image_with("owner", &[("__whole_image", "true")]).await;
    assert_eq!(share_and_execute(&world, &[unbacked], &["a"]).await, [Outcome::NotFromBackup]);
    let without_size = world.create_image_with("owner", &FULL_ECS[..2]).await;
    assert_eq!(share_and_execute(&world, &[without_size], &["a"]).await, [Outcome::NotFromBackup]);
    let image = world.create_image_with("owner", &FULL_ECS).await;
    let tenants: Vec<_> = (0..12).map(|number| format!("t{number}")).collect();
    let job = share(&world, &[image], &tenants.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let outcomes = execute_and_get_outcomes(&world, job).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Done).count(), 10);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::MemberLimit).count(), 2);
}
