//! Limits are exact whoever writes at once (`contract/decisions.md` 12): recipients of an image, images of a tenant, images
//! that wait for a tenant's answer. What is shared with a tenant is not counted as its own (seed 002).

use imageshare::Service;
use imageshare::domain::{Details, ImageId, Limits, Outcome, Status, Task, Visibility};
use imageshare::store::Store;
use imageshare::usecases::{self, NewImage, Refusal};
use imageshare_tests::service::{LocalService, caller, tenant};
use imageshare_tests::sums;

use super::{answered, outcomes, queued, share, shared, start, unshared, work_side_by_side};

async fn images(world: &LocalService, how_many: usize) -> Vec<ImageId> {
    let mut images = Vec::new();
    for _ in 0..how_many {
        images.push(world.image("owner").await);
    }
    images
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_writers_leave_no_more_invitations_than_may_wait() {
    let world = start(Limits { pending_per_tenant: 50, ..Limits::default() });
    let images = images(&world, 200).await;
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
                usecases::add_member(&service, &caller("owner"), &image, &tenant("a")).await
            })
        })
        .collect();
    work_side_by_side(&world).await;
    let mut done = 0;
    for added in at_once {
        match added.await.unwrap() {
            Ok(_) => done += 1,
            Err(Refusal::Rule { outcome: Outcome::PendingLimit, .. } | Refusal::Contended(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    for job in jobs {
        done += usize::from(outcomes(&world, job).await == [Outcome::Done]);
    }
    assert_eq!(done, 50);
    let quota = usecases::quota(&world.service, &caller("a")).await.unwrap();
    assert_eq!((quota.pending_images, quota.most_pending_images, quota.images), (50, 50, 0));
}

#[tokio::test]
async fn an_answer_or_a_withdrawal_makes_room() {
    let world = start(Limits { pending_per_tenant: 2, ..Limits::default() });
    let images = images(&world, 4).await;
    let full = [Outcome::Done, Outcome::Done, Outcome::PendingLimit, Outcome::PendingLimit];
    assert_eq!(shared(&world, &images, &["a"]).await, full);
    assert_eq!(shared(&world, &images, &["b"]).await, full, "each tenant has its own");
    answered(&world, &images[..1], "a", (Status::Accepted, None)).await;
    assert_eq!(shared(&world, &images[2..3], &["a"]).await, [Outcome::Done]);
    unshared(&world, &images[1..2], &["a"]).await;
    assert_eq!(shared(&world, &images[3..], &["a"]).await, [Outcome::Done]);
    let back = (Ok(Status::Pending), None);
    let a = caller("a");
    let refused = usecases::answer_as_member(&world.service, &a, &images[0], &a.tenant, back).await;
    assert!(matches!(refused, Err(Refusal::Rule { outcome: Outcome::PendingLimit, .. })), "{refused:?}");
    usecases::delete_image(&world.service, &caller("owner"), &images[3]).await.unwrap();
    world.work().await;
    sums::hold(&world.embedded);
    assert_eq!(usecases::quota(&world.service, &a).await.unwrap().pending_images, 1);
}

#[tokio::test]
async fn a_late_withdrawal_is_carried_out_though_too_many_images_wait() {
    let world = start(Limits { pending_per_tenant: 1, ..Limits::default() });
    let images = images(&world, 2).await;
    let first = &images[..1];
    shared(&world, first, &["a"]).await;
    answered(&world, first, "a", (Status::Accepted, None)).await;
    let owner = caller("owner");
    let late = queued(&world, Task::Unshare, first, &["a"]).await;
    let again = queued(&world, Task::Share, first, &["a"]).await;
    let newest = world.open_pieces().await.into_iter().find(|piece| piece.job == again).unwrap();
    usecases::carry_out(&world.service, newest).await.unwrap();
    usecases::add_member(&world.service, &owner, &images[1], &tenant("a")).await.unwrap();
    assert_eq!(outcomes(&world, late).await, [Outcome::Overtaken]);
    assert_eq!(usecases::quota(&world.service, &caller("a")).await.unwrap().pending_images, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_writers_leave_no_more_members_than_an_image_may_have() {
    let world = start(Limits { members_per_image: 60, ..Limits::default() });
    let image = world.image("owner").await;
    let at_once: Vec<_> = (0..200)
        .map(|number| {
            let (service, image) = (world.service.clone(), image.clone());
            tokio::spawn(async move {
                let member = tenant(&format!("t{number}"));
                usecases::add_member(&service, &caller("owner"), &image, &member).await
            })
        })
        .collect();
    let mut added = 0;
    for result in at_once {
        match result.await.unwrap() {
            Ok(_) => added += 1,
            Err(Refusal::MemberLimit { .. } | Refusal::Contended(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((added, world.member_count(&image).await), (60, 60));
    sums::hold(&world.embedded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_writers_register_no_more_images_than_a_tenant_may_have() {
    let world = start(Limits { images_per_tenant: 60, ..Limits::default() });
    shared(&world, &images(&world, 5).await, &["b"]).await;
    let at_once: Vec<_> = (0..200)
        .map(|_| {
            let service = world.service.clone();
            tokio::spawn(async move {
                let details = Details::default();
                let new = NewImage { id: None, owner: None, visibility: Visibility::Shared, details };
                usecases::register_image(&service, &caller("b"), new).await
            })
        })
        .collect();
    let mut registered = 0;
    for result in at_once {
        match result.await.unwrap() {
            Ok(_) => registered += 1,
            Err(refusal) => assert_eq!(refusal, Refusal::TooManyImages(60)),
        }
    }
    assert_eq!(registered, 60, "what is shared with a tenant does not count");
    assert_eq!(usecases::quota(&world.service, &caller("b")).await.unwrap().images, 60);
}

/// A service where few images of one owner may wait.
fn with_small_inboxes() -> LocalService {
    LocalService::start(Limits { pending_per_owner: 3, pending_per_tenant: 5, ..Limits::default() })
}

#[tokio::test]
async fn one_owner_does_not_fill_the_inbox_of_a_tenant() {
    let world = with_small_inboxes();
    let of_owner = images(&world, 5).await;
    let outcomes = shared(&world, &of_owner, &["a"]).await;
    let full = Outcome::OwnerPendingLimit;
    assert_eq!(outcomes, [Outcome::Done, Outcome::Done, Outcome::Done, full, full]);
    let added = usecases::add_member(&world.service, &caller("owner"), &of_owner[3], &tenant("a")).await;
    assert!(matches!(added, Err(Refusal::Rule { outcome: Outcome::OwnerPendingLimit, .. })), "{added:?}");
    for (number, wanted) in [(1, true), (2, true), (3, false)] {
        let honest = format!("honest-{number}");
        let image = world.image(&honest).await;
        let added = usecases::add_member(&world.service, &caller(&honest), &image, &tenant("a")).await;
        assert_eq!(added.is_ok(), wanted, "{number} more than one owner's");
    }
}

#[tokio::test]
async fn image_that_is_added_again_after_a_rejection_takes_its_place() {
    let world = with_small_inboxes();
    let of_owner = images(&world, 4).await;
    shared(&world, &of_owner[..3], &["a"]).await;
    for image in &of_owner[..3] {
        answered(&world, std::slice::from_ref(image), "a", (Status::Rejected, None)).await;
    }
    for _ in 0..2 {
        unshared(&world, &of_owner[..3], &["a"]).await;
        assert_eq!(shared(&world, &of_owner[..3], &["a"]).await, [Outcome::Done; 3]);
        assert_eq!(shared(&world, &of_owner[3..], &["a"]).await, [Outcome::OwnerPendingLimit]);
    }
    let honest = world.image("honest").await;
    usecases::add_member(&world.service, &caller("honest"), &honest, &tenant("a")).await.unwrap();
}

#[tokio::test]
async fn what_a_recipient_cannot_see_takes_no_place() {
    let world = with_small_inboxes();
    let of_owner = images(&world, 6).await;
    let show = async |images: &[ImageId], visibility: Visibility| {
        for image in images {
            let change = |image: &mut imageshare::domain::Image| {
                image.visibility = visibility;
                Ok::<_, Refusal>(())
            };
            usecases::update_image(&world.service, &caller("owner"), image, change).await.unwrap();
        }
        world.work().await;
    };
    shared(&world, &of_owner[..3], &["a"]).await;
    show(&of_owner[..3], Visibility::Private).await;
    let later = metered_later(&world);
    let added = usecases::add_member(&later, &caller("owner"), &of_owner[3], &tenant("a")).await;
    assert!(added.is_ok(), "{added:?}");
    assert_eq!(usecases::quota(&later, &caller("a")).await.unwrap().pending_images, 1);
    show(&of_owner[..3], Visibility::Shared).await;
    assert_eq!(usecases::quota(&later, &caller("a")).await.unwrap().pending_images, 4);
}

/// The service of a process that has counted nothing yet.
fn metered_later(world: &LocalService) -> Service {
    let store = Store::new(world.table.clone(), world.service.clock().clone());
    Service { store, ..world.service.clone() }
}
