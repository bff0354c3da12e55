//! Seed 003: "For encrypted images, you need to authorize the keys used by the images before you use this API."

use imageshare::domain::{Limits, Outcome, Status};
use imageshare::usecases::{self, GrantRefusal, Refusal};
use imageshare_tests::service::{LocalService, caller, tenant};

use super::{answered, shared, shared_again_before_a_late_unshare, start, status, unshared};

async fn grant(world: &LocalService, owner: &str, key: &str, to: &str) {
    let key = key.parse().unwrap();
    usecases::grant_key(&world.service, &caller(owner), key, tenant(to)).await.unwrap();
}

async fn withdraw(world: &LocalService, key: &str, from: &str) -> usecases::Dependents {
    let key = key.parse().unwrap();
    usecases::withdraw_key_grant(&world.service, &caller("owner"), key, tenant(from), 100).await.unwrap()
}

#[tokio::test]
async fn an_image_under_a_key_is_shared_with_those_to_whom_the_key_is_granted() {
    let world = start(Limits::default());
    let image = world.image_with("owner", &[("__system__cmkid", "key")]).await;
    let images = [image.clone()];
    grant(&world, "owner", "key", "a").await;
    grant(&world, "owner", "other", "b").await;
    grant(&world, "somebody", "key", "c").await;
    let ours = [Outcome::Done, Outcome::KeyNotGranted, Outcome::KeyNotGranted];
    assert_eq!(shared(&world, &images, &["a", "b", "c"]).await, ours);
    assert_eq!(answered(&world, &images, "a", (Status::Accepted, None)).await, [Outcome::Done]);
}

#[tokio::test]
async fn a_withdrawn_grant_refuses_new_shares_and_leaves_what_there_is() {
    let world = start(Limits::default());
    let encrypted = [("__system__cmkid", "key")];
    let (first, second) =
        (world.image_with("owner", &encrypted).await, world.image_with("owner", &encrypted).await);
    let other = world.image_with("owner", &[("__system__cmkid", "other")]).await;
    let plain = world.image("owner").await;
    for key in ["key", "other"] {
        grant(&world, "owner", key, "a").await;
    }
    shared(&world, &[first.clone(), other, plain], &["a"]).await;
    answered(&world, std::slice::from_ref(&first), "a", (Status::Accepted, None)).await;

    let dependents = withdraw(&world, "key", "a").await;
    let told: Vec<_> = dependents.memberships.iter().map(|(image, said)| (image.id.clone(), *said)).collect();
    assert_eq!((told, dependents.next), (vec![(first.clone(), Status::Accepted)], None));
    assert_eq!(shared(&world, std::slice::from_ref(&second), &["a"]).await, [Outcome::KeyNotGranted]);
    assert_eq!(
        shared(&world, std::slice::from_ref(&first), &["a"]).await,
        [Outcome::Done],
        "a member already"
    );
    assert_eq!(status(&world, &first, "a").await, Some(Status::Accepted));

    unshared(&world, std::slice::from_ref(&first), &["a"]).await;
    assert_eq!(withdraw(&world, "key", "a").await.memberships, []);
    assert_eq!(shared(&world, std::slice::from_ref(&first), &["a"]).await, [Outcome::KeyNotGranted]);
    grant(&world, "owner", "key", "a").await;
    assert_eq!(shared(&world, &[first, second], &["a"]).await, [Outcome::Done; 2]);
}

#[tokio::test]
async fn an_image_under_the_services_own_key_is_shared_with_nobody() {
    let world = start(Limits::default());
    let image = world.image_with("owner", &[("__system__encrypted", "1")]).await;
    assert_eq!(shared(&world, std::slice::from_ref(&image), &["a"]).await, [Outcome::DefaultKey]);
    let added = usecases::add_member(&world.service, &caller("owner"), &image, &tenant("a")).await;
    let refused = Refusal::Rule { image, tenant: tenant("a"), outcome: Outcome::DefaultKey };
    assert_eq!(added, Err(refused));
}

#[tokio::test]
async fn a_grant_is_withdrawn_before_a_share_or_after_it() {
    let world = start(Limits::default());
    let mut shared_images = 0;
    for _ in 0..50 {
        let image = world.image_with("owner", &[("__system__cmkid", "key")]).await;
        grant(&world, "owner", "key", "a").await;
        let (service, id) = (world.service.clone(), image.clone());
        let add = tokio::spawn(async move {
            usecases::add_member(&service, &caller("owner"), &id, &tenant("a")).await.is_ok()
        });
        let dependents = withdraw(&world, "key", "a").await;
        let added = add.await.unwrap();
        shared_images += usize::from(added);
        let told = dependents.memberships.iter().any(|(found, _)| found.id == image);
        assert_eq!(told, added, "who is told of no membership gets none later");
    }
    println!("{shared_images} of 50 were shared first");
}

#[tokio::test]
async fn a_share_after_a_withdrawal_of_the_grant_outlives_no_late_unshare() {
    let world = start(Limits::default());
    let image = world.image_with("owner", &[("__system__cmkid", "key")]).await;
    grant(&world, "owner", "key", "a").await;
    shared(&world, std::slice::from_ref(&image), &["a"]).await;
    assert_eq!(shared_again_before_a_late_unshare(&world, &image, "a").await, Outcome::Done);
    assert_eq!(status(&world, &image, "a").await, Some(Status::Pending), "the later request wins");
    withdraw(&world, "key", "a").await;
    assert_eq!(
        shared_again_before_a_late_unshare(&world, &image, "a").await,
        Outcome::Done,
        "it was a member still"
    );
    assert_eq!(status(&world, &image, "a").await, None);
}

#[tokio::test]
async fn nobody_grants_what_is_another_s_and_nobody_itself() {
    let world = start(Limits::default());
    let (key, me) = ("key".parse().unwrap(), tenant("owner"));
    let own = usecases::grant_key(&world.service, &caller("owner"), key, me.clone()).await;
    assert_eq!(own, Err(GrantRefusal::OwnKey(me)));
    let image = world.image_with("owner", &[("__system__cmkid", "key")]).await;
    grant(&world, "stranger", "key", "a").await;
    assert_eq!(shared(&world, &[image], &["a"]).await, [Outcome::KeyNotGranted]);
}

#[tokio::test]
async fn what_an_image_is_encrypted_by_does_not_change_while_it_is_shared() {
    let world = start(Limits::default());
    let image = world.image("owner").await;
    let encrypt = |image: &mut imageshare::domain::Image| {
        image.details.properties.insert("__system__cmkid".to_owned(), "key".to_owned());
        Ok::<_, Refusal>(())
    };
    shared(&world, std::slice::from_ref(&image), &["a"]).await;
    let changed = usecases::update_image(&world.service, &caller("owner"), &image, encrypt).await;
    assert_eq!(changed, Err(Refusal::MadeOtherwise(image.clone())));
    unshared(&world, std::slice::from_ref(&image), &["a"]).await;
    usecases::update_image(&world.service, &caller("owner"), &image, encrypt).await.unwrap();
    assert_eq!(shared(&world, &[image], &["a"]).await, [Outcome::KeyNotGranted]);
}
