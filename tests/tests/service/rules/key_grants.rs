//! Seed 003: "For encrypted images, you need to authorize the keys used by the images before you use this API."

use imageshare::domain::{Limits, Outcome, Status};
use imageshare::usecases::{self, KeyGrantError, UseCaseError};
use imageshare_tests::local_service::{LocalService, caller, tenant};

use super::{
    member_status, reshare_before_late_unshare, respond_and_execute, share_and_execute, start_service,
    unshare_and_execute,
};

async fn grant_key(world: &LocalService, owner: &str, key: &str, to: &str) {
    let key = key.parse().unwrap();
    usecases::grant_key(&world.service, &caller(owner), key, tenant(to)).await.unwrap();
}

async fn revoke_key_grant(world: &LocalService, key: &str, from: &str) -> usecases::DependentMemberships {
    let key = key.parse().unwrap();
    usecases::revoke_key_grant(&world.service, &caller("owner"), key, tenant(from), 100).await.unwrap()
}

#[tokio::test]
async fn encrypted_image_is_shared_only_with_key_grantees() {
    let world = start_service(Limits::default());
    let image = world.create_image_with("owner", &[("__system__cmkid", "key")]).await;
    let images = [image.clone()];
    grant_key(&world, "owner", "key", "a").await;
    grant_key(&world, "owner", "other", "b").await;
    grant_key(&world, "somebody", "key", "c").await;
    let expected = [Outcome::Done, Outcome::KeyNotGranted, Outcome::KeyNotGranted];
    assert_eq!(share_and_execute(&world, &images, &["a", "b", "c"]).await, expected);
    assert_eq!(respond_and_execute(&world, &images, "a", (Status::Accepted, None)).await, [Outcome::Done]);
}

#[tokio::test]
async fn withdrawn_key_grant_blocks_only_new_shares() {
    let world = start_service(Limits::default());
    let encrypted = [("__system__cmkid", "key")];
    let (first, second) = (
        world.create_image_with("owner", &encrypted).await,
        world.create_image_with("owner", &encrypted).await,
    );
    let other = world.create_image_with("owner", &[("__system__cmkid", "other")]).await;
    let plain = world.create_image("owner").await;
    for key in ["key", "other"] {
        grant_key(&world, "owner", key, "a").await;
    }
    share_and_execute(&world, &[first.clone(), other, plain], &["a"]).await;
    respond_and_execute(&world, std::slice::from_ref(&first), "a", (Status::Accepted, None)).await;

    let dependents = revoke_key_grant(&world, "key", "a").await;
    let dependent_images: Vec<_> =
        dependents.items.iter().map(|(image, status)| (image.id.clone(), *status)).collect();
    assert_eq!((dependent_images, dependents.next), (vec![(first.clone(), Status::Accepted)], None));
    assert_eq!(
        share_and_execute(&world, std::slice::from_ref(&second), &["a"]).await,
        [Outcome::KeyNotGranted]
    );
    assert_eq!(
        share_and_execute(&world, std::slice::from_ref(&first), &["a"]).await,
        [Outcome::Done],
        "a member already"
    );
    assert_eq!(member_status(&world, &first, "a").await, Some(Status::Accepted));

    unshare_and_execute(&world, std::slice::from_ref(&first), &["a"]).await;
    assert_eq!(revoke_key_grant(&world, "key", "a").await.items, []);
    assert_eq!(
        share_and_execute(&world, std::slice::from_ref(&first), &["a"]).await,
        [Outcome::KeyNotGranted]
    );
    grant_key(&world, "owner", "key", "a").await;
    assert_eq!(share_and_execute(&world, &[first, second], &["a"]).await, [Outcome::Done; 2]);
}

#[tokio::test]
async fn image_under_the_default_key_cannot_be_shared() {
    let world = start_service(Limits::default());
    let image = world.create_image_with("owner", &[("__system__encrypted", "1")]).await;
    assert_eq!(share_and_execute(&world, std::slice::from_ref(&image), &["a"]).await, [Outcome::DefaultKey]);
    let added = usecases::add_member(&world.service, &caller("owner"), &image, &tenant("a"), None).await;
    let refused = UseCaseError::RuleViolation { image, tenant: tenant("a"), outcome: Outcome::DefaultKey };
    assert_eq!(added, Err(refused));
}

#[tokio::test]
async fn concurrent_grant_withdrawal_and_share_are_serialized() {
    let world = start_service(Limits::default());
    let mut shared_images = 0;
    for _ in 0..50 {
        let image = world.create_image_with("owner", &[("__system__cmkid", "key")]).await;
        grant_key(&world, "owner", "key", "a").await;
        let (service, id) = (world.service.clone(), image.clone());
        let add = tokio::spawn(async move {
            usecases::add_member(&service, &caller("owner"), &id, &tenant("a"), None).await.is_ok()
        });
        let dependents = revoke_key_grant(&world, "key", "a").await;
        let added = add.await.unwrap();
        shared_images += usize::from(added);
        let is_listed = dependents.items.iter().any(|(found, _)| found.id == image);
        assert_eq!(is_listed, added, "a tenant without dependent memberships gets none later");
    }
    println!("{shared_images} of 50 were shared first");
}

#[tokio::test]
async fn late_unshare_applies_after_the_key_grant_is_withdrawn() {
    let world = start_service(Limits::default());
    let image = world.create_image_with("owner", &[("__system__cmkid", "key")]).await;
    grant_key(&world, "owner", "key", "a").await;
    share_and_execute(&world, std::slice::from_ref(&image), &["a"]).await;
    assert_eq!(reshare_before_late_unshare(&world, &image, "a").await, Outcome::Done);
    assert_eq!(member_status(&world, &image, "a").await, Some(Status::Pending), "the later request wins");
    revoke_key_grant(&world, "key", "a").await;
    assert_eq!(
        reshare_before_late_unshare(&world, &image, "a").await,
        Outcome::Done,
        "it was a member still"
    );
    assert_eq!(member_status(&world, &image, "a").await, None);
}

#[tokio::test]
async fn key_is_granted_only_by_its_owner_and_not_to_itself() {
    let world = start_service(Limits::default());
    let (key, me) = ("key".parse().unwrap(), tenant("owner"));
    let own = usecases::grant_key(&world.service, &caller("owner"), key, me.clone()).await;
    assert_eq!(own, Err(KeyGrantError::OwnerIsRecipient(me)));
    let image = world.create_image_with("owner", &[("__system__cmkid", "key")]).await;
    grant_key(&world, "stranger", "key", "a").await;
    assert_eq!(share_and_execute(&world, &[image], &["a"]).await, [Outcome::KeyNotGranted]);
}

#[tokio::test]
async fn encryption_key_of_a_shared_image_cannot_change() {
    let world = start_service(Limits::default());
    let image = world.create_image("owner").await;
    let encrypt = |image: &mut imageshare::domain::Image| {
        image.details.properties.insert("__system__cmkid".to_owned(), "key".to_owned());
        Ok::<_, UseCaseError>(())
    };
    share_and_execute(&world, std::slice::from_ref(&image), &["a"]).await;
    let changed = usecases::update_image(&world.service, &caller("owner"), &image, encrypt).await;
    assert_eq!(changed, Err(UseCaseError::SharedImageImmutable(image.clone())));
    unshare_and_execute(&world, std::slice::from_ref(&image), &["a"]).await;
    usecases::update_image(&world.service, &caller("owner"), &image, encrypt).await.unwrap();
    assert_eq!(share_and_execute(&world, &[image], &["a"]).await, [Outcome::KeyNotGranted]);
}
