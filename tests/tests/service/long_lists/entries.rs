//! List entries follow their image, even in others' lists: renamed, tagged, hidden and shown again.

use std::collections::BTreeSet;

use dynoxide::types::AttributeValue;
use imageshare::domain::{Bypass, ImageId, Status, Visibility};
use imageshare::store::{List, Order};
use imageshare::usecases;
use imageshare_tests::local_service::{all_items, caller, tenant};

use super::world::World;

async fn create_accepted_image(world: &World, id: &str, name: &str, tags: &[&str], age: usize) -> ImageId {
    world.create_image("own", id, name, tags, age).await;
    let image: ImageId = id.parse().unwrap();
    world.share("own", std::slice::from_ref(&image)).await;
    world.decide(std::slice::from_ref(&image), Status::Accepted).await;
    image
}

#[tokio::test]
async fn rename_of_a_shared_image_updates_recipient_lists() {
    let world = World::start();
    let first = create_accepted_image(&world, "a", "first", &[], 1).await;
    create_accepted_image(&world, "b", "second", &[], 2).await;
    let by_name = "/v2/images?sort_key=name&sort_dir=asc";
    assert_eq!(world.image_ids("me", by_name).await, "a b");
    let member =
        async || usecases::show_member(&world.local.service, &caller("own"), &first, &tenant("me")).await;
    let before = member().await.unwrap();
    world.update_image("own", &first, |image| image.details.name = Some("third".to_owned())).await;
    assert_eq!(world.image_ids("own", by_name).await, "b a", "the owner's list changes at once");
    world.local.run_open_work().await;
    assert_eq!(member().await.unwrap(), before, "the membership is unchanged");
    assert_eq!(world.image_ids("me", by_name).await, "b a");
    assert_eq!(world.image_ids("me", "/v2/images?name=third").await, "a");
    assert_eq!(world.image_ids("me", "/v2/images?name=first").await, "");
    assert_eq!(world.image_ids("me", "/v2/images?sort_key=updated_at").await, "a b");
    assert_eq!(world.image_ids("me", "/v2/images?sort_key=updated_at&sort_dir=asc").await, "b a");
}

#[tokio::test]
async fn hidden_image_leaves_recipient_lists() {
    let world = World::start();
    let image = create_accepted_image(&world, "a", "web", &[], 1).await;
    world.create_image("own", "b", "waits", &[], 2).await;
    let waits: ImageId = "b".parse().unwrap();
    world.share("own", std::slice::from_ref(&waits)).await;
    let list = List::Received(tenant("me"), Status::Pending);
    let pending = async || {
        world.local.service.store.positions(&list, None, Order::OldestFirst, 10).await.unwrap().len()
    };
    assert_eq!(pending().await, 1);
    for image in [&image, &waits] {
        world.update_image("own", image, |image| image.visibility = Visibility::Private).await;
    }
    world.local.run_open_work().await;
    assert_eq!((world.image_ids("me", "/v2/images").await, pending().await), (String::new(), 0));
    let text = |value: Option<&AttributeValue>| matches!(value, Some(AttributeValue::S(text)) if text.starts_with("T#"));
    let is_listed = |item: &std::collections::HashMap<String, AttributeValue>| {
        ["gpk", "npk", "upk"].iter().any(|name| text(item.get(*name)))
    };
    assert!(!all_items(&world.local.embedded).iter().any(is_listed));
    let members = world.local.service.store.members(&image, None, 10).await.unwrap().0;
    assert_eq!(members.len(), 1, "it still is a member");
    world.update_image("own", &image, |image| image.details.name = Some("new".to_owned())).await;
    for image in [&image, &waits] {
        world.update_image("own", image, |image| image.visibility = Visibility::Shared).await;
    }
    world.local.run_open_work().await;
    assert_eq!(world.image_ids("me", "/v2/images?name=new").await, "a");
    assert_eq!(pending().await, 1);
}

#[tokio::test]
async fn update_of_an_image_without_members_creates_no_job() {
    let world = World::start();
    world.create_image("own", "a", "web", &[], 1).await;
    let image: ImageId = "a".parse().unwrap();
    world.update_image("own", &image, |image| image.details.protected = true).await;
    assert_eq!(world.local.open_work_items().await, []);
    world.share("own", std::slice::from_ref(&image)).await;
    world.update_image("own", &image, |image| image.visibility = Visibility::Private).await;
    assert_eq!(world.local.open_work_items().await.len(), 1);
    world.local.run_open_work().await;
    world.update_image("own", &image, |image| image.details.protected = false).await;
    assert_eq!(world.local.open_work_items().await, [], "no list has it");
}

#[tokio::test]
async fn image_is_found_by_its_current_tags() {
    let world = World::start();
    let image = create_accepted_image(&world, "a", "web", &["one"], 1).await;
    world
        .update_image("own", &image, |image| image.details.tags = ["two", "three"].map(str::to_owned).into())
        .await;
    for project in ["own", "me"] {
        for (tag, expected) in
            [("one", ""), ("two", "a"), ("three", "a"), ("two&tag=three", "a"), ("two&tag=one", "")]
        {
            assert_eq!(
                world.image_ids(project, &format!("/v2/images?tag={tag}")).await,
                expected,
                "{project} {tag}"
            );
        }
    }
    world.update_image("own", &image, |image| image.details.tags.clear()).await;
    assert_eq!(world.image_ids("own", "/v2/images?tag=two").await, "");
    assert!(filter_index_keys(&world).is_empty());
}

fn filter_index_keys(world: &World) -> BTreeSet<String> {
    let items = all_items(&world.local.embedded).into_iter();
    let keys = items.filter_map(|item| match item.get("pk") {
        Some(AttributeValue::S(pk)) if pk.starts_with("F#") => Some(pk.clone()),
        _ => None,
    });
    keys.collect()
}

#[tokio::test]
async fn image_may_have_more_tags_than_a_transaction_holds() {
    let world = World::start();
    let tags = |from: usize| (from..from + 128).map(|number| format!("t{number}")).collect::<BTreeSet<_>>();
    let own = caller("own");
    let details = imageshare::domain::Details { tags: tags(0), ..imageshare::domain::Details::default() };
    let new = usecases::NewImage { id: None, owner: None, visibility: Visibility::Community, details };
    let image = usecases::register_image(&world.local.service, &own, new, None).await.unwrap().id;
    for from in [0, 128, 64] {
        world.update_image("own", &image, |image| image.details.tags = tags(from)).await;
        for tag in [from, from + 127] {
            let found = world.image_ids("own", &format!("/v2/images?visibility=community&tag=t{tag}")).await;
            assert_eq!(found, image.as_str());
        }
        assert_eq!(filter_index_keys(&world).len(), 257, "as the owner's, as everybody's, and by its owner");
    }
    usecases::delete_image(&world.local.service, &own, &image).await.unwrap();
    assert_eq!(filter_index_keys(&world), BTreeSet::new());
}

#[tokio::test]
async fn any_names_are_sorted_correctly() {
    let world = World::start();
    let long = "n".repeat(254);
    let wide = "\u{10ffff}".repeat(255);
    let mut names = vec![
        String::new(),
        "a".to_owned(),
        "a b".to_owned(),
        "a~".to_owned(),
        "é".to_owned(),
        wide,
        long.clone(),
    ];
    names.push(format!("{long}n"));
    names.sort();
    for (number, name) in names.iter().enumerate() {
        create_accepted_image(&world, &format!("i{number}"), name, &[], 50 - number).await;
    }
    let expected: Vec<_> = (0..names.len()).map(|number| format!("i{number}")).collect();
    for project in ["own", "me"] {
        let mut target = "/v2/images?sort_key=name&sort_dir=asc&limit=1".to_owned();
        let mut shown = Vec::new();
        loop {
            let (response, _) = world.get(project, &target).await;
            response.expect_status(200);
            shown.extend(super::image_ids_on(&response.body));
            let Some(next) = response.body["next"].as_str() else { break };
            next.clone_into(&mut target);
        }
        assert_eq!(shown, expected);
        for (name, id) in names.iter().zip(&expected) {
            let name: String =
                percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).collect();
            assert_eq!(world.image_ids(project, &format!("/v2/images?name={name}")).await, *id);
        }
    }
}

#[tokio::test]
async fn image_head_truncates_long_names() {
    let world = World::start();
    world.create_image("own", "a", &"\u{10ffff}".repeat(255), &["one"], 1).await;
    let head = world.local.service.store.head(&"a".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(head.bypass(Bypass::Test).name.unwrap().len(), 300);
}
