//! Seed 001: "When accepting a full-ECS image, you must specify a vault … The vault capacity must be no less than the total
//! capacities of the system disk and data disk backups."

use imageshare::domain::{
    ImageId, Limits, Outcome, Permissions, Protection, Status, Task, VaultDetails, VaultStatus, Visibility,
};
use imageshare::usecases::{self, Effect, Refusal, VaultRefusal};
use imageshare_tests::service::{LocalService, caller, tenant};
use imageshare_tests::sums;

use super::{
    FULL_ECS, answered, outcomes, queued, share, shared, shared_again_before_a_late_unshare, start, status,
    unshared, work_side_by_side,
};

const BACKUP: VaultDetails =
    VaultDetails { protection: Protection::Backup, status: VaultStatus::Available, capacity_gib: 100 };

async fn put(world: &LocalService, who: &str, id: &str, details: VaultDetails) -> Result<u64, VaultRefusal> {
    let vault = usecases::put_vault(&world.service, &caller(who), id.parse().unwrap(), &details).await?;
    Ok(vault.vault.reserved_gib)
}

async fn reserved(world: &LocalService, who: &str, id: &str) -> u64 {
    let vault = usecases::show_vault(&world.service, &caller(who), id.parse().unwrap()).await.unwrap();
    vault.vault.reserved_gib
}

/// Full-ECS images of 60 GiB that wait for `a`'s answer.
async fn waiting(world: &LocalService, how_many: usize) -> Vec<ImageId> {
    let mut images = Vec::new();
    for _ in 0..how_many {
        images.push(world.image_with("owner", &FULL_ECS).await);
    }
    assert!(shared(world, &images, &["a"]).await.iter().all(|outcome| *outcome == Outcome::Done));
    images
}

#[tokio::test]
async fn accepting_reserves_and_rejecting_and_unsharing_give_back() {
    let world = start(Limits::default());
    let images = waiting(&world, 2).await;
    let (first, second) = (&images[..1], &images[1..]);
    assert_eq!(put(&world, "a", "v", BACKUP).await, Ok(0));
    let accept = (Status::Accepted, Some("v"));
    assert_eq!(answered(&world, first, "a", accept).await, [Outcome::Done]);
    assert_eq!(reserved(&world, "a", "v").await, 60);
    assert_eq!(answered(&world, second, "a", accept).await, [Outcome::VaultFull]);
    assert_eq!(status(&world, &second[0], "a").await, Some(Status::Pending));

    assert_eq!(answered(&world, first, "a", (Status::Rejected, None)).await, [Outcome::Done]);
    assert_eq!(reserved(&world, "a", "v").await, 0);
    assert_eq!(answered(&world, second, "a", accept).await, [Outcome::Done]);
    unshared(&world, second, &["a"]).await;
    assert_eq!(reserved(&world, "a", "v").await, 0);
}

#[tokio::test]
async fn a_vault_that_will_not_do_is_named_by_its_error() {
    let world = start(Limits::default());
    let images = waiting(&world, 1).await;
    let replication = VaultDetails { protection: Protection::Replication, ..BACKUP };
    let frozen = VaultDetails { status: VaultStatus::Frozen, ..BACKUP };
    let small = VaultDetails { capacity_gib: 59, ..BACKUP };
    for (id, details) in [("replication", replication), ("frozen", frozen), ("small", small)] {
        put(&world, "a", id, details).await.unwrap();
    }
    put(&world, "b", "theirs", BACKUP).await.unwrap();
    for (vault, wanted) in [
        (None, Outcome::NoVault),
        (Some("theirs"), Outcome::NoVault),
        (Some("replication"), Outcome::NotABackupVault),
        (Some("frozen"), Outcome::VaultUnavailable),
        (Some("small"), Outcome::VaultFull),
    ] {
        assert_eq!(answered(&world, &images, "a", (Status::Accepted, vault)).await, [wanted], "{vault:?}");
    }
    assert_eq!(reserved(&world, "b", "theirs").await, 0);
    let other = world.image("owner").await;
    shared(&world, std::slice::from_ref(&other), &["a"]).await;
    let accepted = answered(&world, &[other], "a", (Status::Accepted, None)).await;
    assert_eq!(accepted, [Outcome::Done], "no other image needs a vault");
}

#[tokio::test]
async fn what_is_given_back_is_what_was_reserved() {
    let world = start(Limits::default());
    let images = waiting(&world, 1).await;
    put(&world, "a", "v", BACKUP).await.unwrap();
    put(&world, "a", "w", BACKUP).await.unwrap();
    answered(&world, &images, "a", (Status::Accepted, Some("v"))).await;
    for vault in [None, Some("v")] {
        assert_eq!(answered(&world, &images, "a", (Status::Accepted, vault)).await, [Outcome::Done]);
        assert_eq!(reserved(&world, "a", "v").await, 60, "accepting again reserves nothing more");
    }
    answered(&world, &images, "a", (Status::Accepted, Some("w"))).await;
    assert_eq!((reserved(&world, "a", "v").await, reserved(&world, "a", "w").await), (0, 60));
    usecases::delete_image(&world.service, &caller("owner"), &images[0]).await.unwrap();
    world.work().await;
    assert_eq!(reserved(&world, "a", "w").await, 0);
    sums::hold(&world.embedded);
}

#[tokio::test]
async fn a_late_unshare_and_alibabas_call_give_back_what_is_not_accepted_any_more() {
    let world = start(Limits::default());
    let images = waiting(&world, 1).await;
    let (image, owner, a) = (&images[0], caller("owner"), caller("a"));
    put(&world, "a", "v", BACKUP).await.unwrap();
    answered(&world, &images, "a", (Status::Accepted, Some("v"))).await;
    shared_again_before_a_late_unshare(&world, image, "a").await;
    assert_eq!(status(&world, image, "a").await, Some(Status::Pending), "shared anew since it was accepted");
    assert_eq!(reserved(&world, "a", "v").await, 0);

    answered(&world, &images, "a", (Status::Accepted, Some("v"))).await;
    let late = queued(&world, Task::Unshare, &images, &["a"]).await;
    let again = queued(&world, Task::Share, &images, &["a"]).await;
    let newest = world.open_pieces().await.into_iter().find(|piece| piece.job == again).unwrap();
    usecases::carry_out(&world.service, newest).await.unwrap();
    // It waits for the earlier request.
    let said = (Ok(Status::Accepted), Some("v".parse().unwrap()));
    let answer = usecases::answer_as_member(&world.service, &a, image, &a.tenant, said);
    let (answer, late) = tokio::join!(answer, outcomes(&world, late));
    answer.unwrap();
    assert_eq!(late, [Outcome::Overtaken]);
    assert_eq!(status(&world, image, "a").await, Some(Status::Accepted), "since it was shared anew");
    assert_eq!(reserved(&world, "a", "v").await, 60);

    let taken = Permissions::new([].into(), [tenant("a")].into()).unwrap();
    usecases::change_permissions(&world.service, &owner, image, &taken, Effect::Made).await.unwrap();
    assert_eq!((status(&world, image, "a").await, reserved(&world, "a", "v").await), (None, 0));
    sums::hold(&world.embedded);
}

#[tokio::test]
async fn what_its_backups_take_does_not_change_while_an_image_with_members_is_hidden() {
    let world = start(Limits::default());
    let image = waiting(&world, 1).await.remove(0);
    put(&world, "a", "v", BACKUP).await.unwrap();
    answered(&world, std::slice::from_ref(&image), "a", (Status::Accepted, Some("v"))).await;
    let change = async |visibility, gib: &str| {
        let change = |image: &mut imageshare::domain::Image| {
            image.visibility = visibility;
            image.details.properties.insert("__data_disk_backup_gib".to_owned(), gib.to_owned());
            Ok::<_, Refusal>(())
        };
        usecases::update_image(&world.service, &caller("owner"), &image, change).await.map(drop)
    };
    let refused = Err(Refusal::MadeOtherwise(image.clone()));
    assert_eq!(change(Visibility::Private, "10").await, refused);
    assert_eq!(change(Visibility::Private, "20").await, Ok(()));
    assert_eq!(change(Visibility::Private, "10").await, refused);
    assert_eq!(reserved(&world, "a", "v").await, 60, "it is accepted still");
    unshared(&world, std::slice::from_ref(&image), &["a"]).await;
    assert_eq!(reserved(&world, "a", "v").await, 0);
    assert_eq!(change(Visibility::Shared, "10").await, Ok(()));
}

#[tokio::test]
async fn a_vault_in_use_is_neither_deleted_nor_made_too_small() {
    let world = start(Limits::default());
    let images = waiting(&world, 1).await;
    let id = || "v".parse().unwrap();
    put(&world, "a", "v", BACKUP).await.unwrap();
    answered(&world, &images, "a", (Status::Accepted, Some("v"))).await;
    let in_use = VaultRefusal::InUse(id());
    assert_eq!(put(&world, "a", "v", VaultDetails { capacity_gib: 59, ..BACKUP }).await, Err(in_use.clone()));
    assert_eq!(usecases::delete_vault(&world.service, &caller("a"), id()).await, Err(in_use));
    let full = VaultDetails { capacity_gib: 60, status: VaultStatus::Frozen, ..BACKUP };
    assert_eq!(put(&world, "a", "v", full).await, Ok(60));
    answered(&world, &images, "a", (Status::Rejected, None)).await;
    usecases::delete_vault(&world.service, &caller("b"), id()).await.unwrap();
    assert_eq!(reserved(&world, "a", "v").await, 0, "nobody deletes another's vault");
    usecases::delete_vault(&world.service, &caller("a"), id()).await.unwrap();
    let gone = usecases::show_vault(&world.service, &caller("a"), id()).await;
    assert_eq!(gone, Err(VaultRefusal::NotFound(id())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_acceptances_at_once_reserve_no_more_than_there_is() {
    let world = start(Limits { images_per_tenant: 1000, ..Limits::default() });
    let images = waiting(&world, 200).await;
    put(&world, "a", "v", VaultDetails { capacity_gib: 60 * 77 + 59, ..BACKUP }).await.unwrap();
    let (a, mut jobs) = (caller("a"), Vec::new());
    let said = || (Status::Accepted, Some("v".parse().unwrap()));
    for image in &images {
        let job = usecases::respond(&world.service, &a, tenant("a"), vec![image.clone()], said(), None);
        jobs.push(job.await.unwrap());
    }
    work_side_by_side(&world).await;
    sums::hold(&world.embedded);
    assert_eq!(reserved(&world, "a", "v").await, 60 * 77);
    let mut accepted = 0;
    for job in jobs {
        accepted += usize::from(outcomes(&world, job).await == [Outcome::Done]);
    }
    assert_eq!(accepted, 77);

    // Rejections, withdrawals and new acceptances at once, by jobs and by Glance's calls.
    let mut at_once = Vec::new();
    for (number, image) in images.iter().cloned().enumerate() {
        let service = world.service.clone();
        at_once.push(tokio::spawn(async move {
            let a = caller("a");
            let status = if number % 3 == 0 { Status::Rejected } else { Status::Accepted };
            let said = (Ok(status), Some("v".parse().unwrap()));
            match number % 5 {
                0 => usecases::remove_member(&service, &caller("owner"), &image, &a.tenant).await,
                _ => usecases::answer_as_member(&service, &a, &image, &a.tenant, said).await.map(drop),
            }
        }));
    }
    for result in at_once {
        let said = result.await.unwrap();
        let full = |refusal: &Refusal| matches!(refusal, Refusal::Rule { outcome: Outcome::VaultFull, .. });
        assert!(said.is_ok() || said.as_ref().is_err_and(full), "{said:?}");
    }
    assert!(reserved(&world, "a", "v").await <= 60 * 77 + 59);
    sums::hold(&world.embedded);
}

#[tokio::test]
async fn a_full_ecs_image_is_shared_only_if_it_was_made_from_a_backup_and_with_few() {
    let world = start(Limits::default());
    let unbacked = world.image_with("owner", &[("__whole_image", "true")]).await;
    assert_eq!(shared(&world, &[unbacked], &["a"]).await, [Outcome::NotFromBackup]);
    let image = world.image_with("owner", &FULL_ECS).await;
    let tenants: Vec<_> = (0..12).map(|number| format!("t{number}")).collect();
    let job = share(&world, &[image], &tenants.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let outcomes = outcomes(&world, job).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Done).count(), 10);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::MemberLimit).count(), 2);
}
