//! Limits are exact under concurrent writes (`contract/decisions.md` 12): recipients of an image, images of a tenant,
//! images pending for a tenant. Images shared with a tenant do not count as its own (seed 002).

use imageshare::App;
use imageshare::domain::{Details, ImageId, Limits, Outcome, Status, Task, Visibility};
use imageshare::store::Store;
use imageshare::usecases::{self, NewImage, UseCaseError};
use imageshare_tests::local_service::{LocalService, caller, tenant};
use imageshare_tests::totals;

use super::{
    execute_and_get_outcomes, execute_concurrently, queue_job, respond_and_execute, share, share_and_execute,
    start_service, unshare_and_execute,
};

async fn create_images(world: &LocalService, how_many: usize) -> Vec<ImageId> {
    let mut images = Vec::new();
    for _ in 0..how_many {
        images.push(world.create_image("owner").await);
    }
    images
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_shares_respect_the_pending_limit() {
    let world = start_service(Limits { pending_per_tenant: 50, ..Limits::default() });
    let images = create_images(&world, 200).await;
    let mut jobs = Vec::new();
    for image in &images[..100] {
        jobs.push(share(&world, std::slice::from_ref(image), &["a"]).await);
    }
    let at_once: Vec<_> = images[100..]
        .iter()
        .cloned()
        .map(|image| {
            let service = world.service.clone();
            tokio::spawn(async move {
                usecases::add_member(&service, &caller("owner"), &image, &tenant("a"), None).await
            })
        })
        .collect();
    execute_concurrently(&world).await;
    let mut done = 0;
    for added in at_once {
        match added.await.unwrap() {
            Ok(_) => done += 1,
            Err(
                UseCaseError::RuleViolation { outcome: Outcome::PendingLimit, .. }
                | UseCaseError::Conflict(_),
            ) => {}
            Err(other) => panic!("{other}"),
        }
    }
    for job in jobs {
        done += usize::from(execute_and_get_outcomes(&world, job).await == [Outcome::Done]);
    }
    assert_eq!(done, 50);
    let quota = usecases::quota(&world.service, &caller("a")).await.unwrap();
    assert_eq!((quota.pending_images, quota.max_pending_images, quota.images), (50, 50, 0));
}

#[tokio::test]
async fn decision_or_unshare_frees_a_pending_slot() {
    let world = start_service(Limits { pending_per_tenant: 2, ..Limits::default() });
    let images = create_images(&world, 4).await;
    let full = [Outcome::Done, Outcome::Done, Outcome::PendingLimit, Outcome::PendingLimit];
    assert_eq!(share_and_execute(&world, &images, &["a"]).await, full);
    assert_eq!(share_and_execute(&world, &images, &["b"]).await, full, "each tenant has its own");
    respond_and_execute(&world, &images[..1], "a", (Status::Accepted, None)).await;
    assert_eq!(share_and_execute(&world, &images[2..3], &["a"]).await, [Outcome::Done]);
    unshare_and_execute(&world, &images[1..2], &["a"]).await;
    assert_eq!(share_and_execute(&world, &images[3..], &["a"]).await, [Outcome::Done]);
    let back = (Ok(Status::Pending), None);
    let a = caller("a");
    let refused = usecases::decide_as_member(&world.service, &a, &images[0], &a.tenant, back).await;
    assert!(
        matches!(refused, Err(UseCaseError::RuleViolation { outcome: Outcome::PendingLimit, .. })),
        "{refused:?}"
    );
    usecases::delete_image(&world.service, &caller("owner"), &images[3]).await.unwrap();
    world.run_open_work().await;
    totals::assert_consistent(&world.embedded);
    assert_eq!(usecases::quota(&world.service, &a).await.unwrap().pending_images, 1);
}

#[tokio::test]
async fn late_unshare_is_executed_above_the_pending_limit() {
    let world = start_service(Limits { pending_per_tenant: 1, ..Limits::default() });
    let images = create_images(&world, 2).await;
    let first = &images[..1];
    share_and_execute(&world, first, &["a"]).await;
    respond_and_execute(&world, first, "a", (Status::Accepted, None)).await;
    let owner = caller("owner");
    let late = queue_job(&world, Task::Unshare, first, &["a"]).await;
    let again = queue_job(&world, Task::Share, first, &["a"]).await;
    let newest = world.open_work_items().await.into_iter().find(|work_item| work_item.job == again).unwrap();
    usecases::execute(&world.service, newest).await.unwrap();
    usecases::add_member(&world.service, &owner, &images[1], &tenant("a"), None).await.unwrap();
    assert_eq!(execute_and_get_outcomes(&world, late).await, [Outcome::Superseded]);
    assert_eq!(usecases::quota(&world.service, &caller("a")).await.unwrap().pending_images, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_adds_respect_the_member_limit() {
    let world = start_service(Limits { members_per_image: 60, ..Limits::default() });
    let image = world.create_image("owner").await;
    let at_once: Vec<_> = (0..200)
        .map(|number| {
            let (service, image) = (world.service.clone(), image.clone());
            tokio::spawn(async move {
                let member = tenant(&format!("t{number}"));
                usecases::add_member(&service, &caller("owner"), &image, &member, None).await
            })
        })
        .collect();
    let mut added = 0;
    for result in at_once {
        match result.await.unwrap() {
            Ok(_) => added += 1,
            Err(UseCaseError::MemberLimit { .. } | UseCaseError::Conflict(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((added, world.member_count(&image).await), (60, 60));
    totals::assert_consistent(&world.embedded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_registrations_respect_the_image_limit() {
    let world = start_service(Limits { images_per_tenant: 60, ..Limits::default() });
    share_and_execute(&world, &create_images(&world, 5).await, &["b"]).await;
    let at_once: Vec<_> = (0..200)
        .map(|_| {
            let service = world.service.clone();
            tokio::spawn(async move {
                let details = Details::default();
                let new = NewImage { id: None, owner: None, visibility: Visibility::Shared, details };
                usecases::register_image(&service, &caller("b"), new, None).await
            })
        })
        .collect();
    let mut registered = 0;
    for result in at_once {
        match result.await.unwrap() {
            Ok(_) => registered += 1,
            Err(refusal) => assert_eq!(refusal, UseCaseError::TooManyImages(60)),
        }
    }
    assert_eq!(registered, 60, "what is shared with a tenant does not count");
    assert_eq!(usecases::quota(&world.service, &caller("b")).await.unwrap().images, 60);
}

/// A service with a low limit of pending images per owner.
fn start_with_small_inboxes() -> LocalService {
    LocalService::start(Limits { pending_per_owner: 3, pending_per_tenant: 5, ..Limits::default() })
}

#[tokio::test]
async fn one_owner_cannot_fill_the_inbox_of_a_tenant() {
    let world = start_with_small_inboxes();
    let of_owner = create_images(&world, 5).await;
    let outcomes = share_and_execute(&world, &of_owner, &["a"]).await;
    let full = Outcome::OwnerPendingLimit;
    assert_eq!(outcomes, [Outcome::Done, Outcome::Done, Outcome::Done, full, full]);
    let added =
        usecases::add_member(&world.service, &caller("owner"), &of_owner[3], &tenant("a"), None).await;
    assert!(
        matches!(added, Err(UseCaseError::RuleViolation { outcome: Outcome::OwnerPendingLimit, .. })),
        "{added:?}"
    );
    for (number, expected) in [(1, true), (2, true), (3, false)] {
        let honest = format!("honest-{number}");
        let image = world.create_image(&honest).await;
        let added = usecases::add_member(&world.service, &caller(&honest), &image, &tenant("a"), None).await;
        assert_eq!(added.is_ok(), expected, "{number} more than one owner's");
    }
}

#[tokio::test]
async fn image_shared_again_after_rejection_counts_as_pending() {
    let world = start_with_small_inboxes();
    let of_owner = create_images(&world, 4).await;
    share_and_execute(&world, &of_owner[..3], &["a"]).await;
    for image in &of_owner[..3] {
        respond_and_execute(&world, std::slice::from_ref(image), "a", (Status::Rejected, None)).await;
    }
    for _ in 0..2 {
        unshare_and_execute(&world, &of_owner[..3], &["a"]).await;
        assert_eq!(share_and_execute(&world, &of_owner[..3], &["a"]).await, [Outcome::Done; 3]);
        assert_eq!(share_and_execute(&world, &of_owner[3..], &["a"]).await, [Outcome::OwnerPendingLimit]);
    }
    let honest = world.create_image("honest").await;
    usecases::add_member(&world.service, &caller("honest"), &honest, &tenant("a"), None).await.unwrap();
}

#[tokio::test]
async fn hidden_images_do_not_count_as_pending() {
    let world = start_with_small_inboxes();
    let of_owner = create_images(&world, 6).await;
    let show = async |images: &[ImageId], visibility: Visibility| {
        for image in images {
            let change = |image: &mut imageshare::domain::Image| {
                image.visibility = visibility;
                Ok::<_, UseCaseError>(())
            };
            usecases::update_image(&world.service, &caller("owner"), image, change).await.unwrap();
        }
        world.run_open_work().await;
    };
    share_and_execute(&world, &of_owner[..3], &["a"]).await;
    show(&of_owner[..3], Visibility::Private).await;
    let later = service_with_empty_counts(&world);
    let added = usecases::add_member(&later, &caller("owner"), &of_owner[3], &tenant("a"), None).await;
    assert!(added.is_ok(), "{added:?}");
    assert_eq!(usecases::quota(&later, &caller("a")).await.unwrap().pending_images, 1);
    show(&of_owner[..3], Visibility::Shared).await;
    assert_eq!(usecases::quota(&later, &caller("a")).await.unwrap().pending_images, 4);
}

/// The service of a process without cached counts.
fn service_with_empty_counts(world: &LocalService) -> App {
    let store = Store::new(world.table.clone(), world.service.clock().clone());
    App { store, ..world.service.clone() }
}
