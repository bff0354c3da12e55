//! Page markers: pages show everything once, and a marker is valid only in its own list and for its own project.

mod forged;
mod lists;
mod removed_images;

use std::collections::BTreeSet;

use imageshare::domain::Role;
use imageshare_tests::api::Api;
use imageshare_tests::api_document::{ApiDocument, Operation};

use self::lists::{World, image_lists, lists, marker_routes};

#[tokio::test]
async fn pages_of_any_length_show_every_item_once() {
    let world = World::start().await;
    for list in lists(&world.image) {
        for lengths in [&[1][..], &[2], &[3], &[4], &[5], &[2, 1], &[1, 3]] {
            let mut lengths = lengths.iter().cycle();
            let (mut shown, mut marker) = (Vec::new(), None);
            loop {
                let (page, next) = world.page(&list, *lengths.next().unwrap(), marker.as_deref()).await;
                shown.extend(page);
                marker = next;
                if marker.is_none() {
                    break;
                }
            }
            let once: BTreeSet<_> = shown.iter().collect();
            assert_eq!((once.len(), shown.len()), (5, 5), "{list:?} {shown:?}");
        }
    }
}

#[tokio::test]
async fn next_page_is_complete_after_its_marker_image_is_deleted() {
    let world = World::start().await;
    let token = world.api.token("own1", Role::Member);
    for list in image_lists().into_iter().take(2) {
        let (first, marker) = world.page(&list, 2, None).await;
        let delete = imageshare_tests::api::ApiRequest::new("DELETE", format!("/v2/images/{}", first[1]));
        world.api.send(&delete.token(&token)).await.expect_status(204);
        let (second, _) = world.page(&list, 1000.min(list.max_length), marker.as_deref()).await;
        assert!(
            !second.is_empty() && second.iter().all(|image| !first.contains(image)),
            "{list:?} {second:?}"
        );
    }
}

#[tokio::test]
async fn marker_is_valid_only_for_its_list_and_project() {
    let world = World::start().await;
    let lists = lists(&world.image);
    let mut markers = Vec::new();
    for list in &lists {
        let marker = world.page(list, 2, None).await.1.unwrap();
        markers.push((list, marker));
    }
    for (from, marker) in &markers {
        for to in &lists {
            let response = world.send("own1", to.role, to, 2, Some(marker)).await;
            let expected = if to.target == from.target { 200 } else { 400 };
            response.expect_status(expected);
        }
        for (project, role) in [("mem1", Role::Member), ("nobody", Role::Member), ("other", Role::Admin)] {
            let response = world.send(project, role, from, 2, Some(marker)).await;
            // The members' path names the project; only an admin may read another project's.
            let is_closed = from.operation == "listImageMembers" && role != Role::Admin;
            let expected = if is_closed { 403 } else { 400 };
            response.expect_status(expected);
        }
    }
}

#[tokio::test]
async fn marker_of_another_query_is_rejected() {
    let world = World::start().await;
    for list in lists(&world.image).iter().filter(|list| !list.variations.is_empty()) {
        let marker = world.page(list, 2, None).await.1.unwrap();
        for more in list.variations {
            let other = list.with_query(more);
            world.send("own1", list.role, &other, 2, Some(&marker)).await.expect_status(400);
            world.send("own1", list.role, &other, 2, None).await.expect_status(200);
        }
    }
}

/// A new list needs its cases here.
#[test]
fn every_paginated_list_is_covered() {
    let known: BTreeSet<_> = lists("i").into_iter().map(|list| list.operation).collect();
    let has_pages =
        |operation: &Operation| operation.parameters_in("query").any(|parameter| parameter.name == "marker");
    let operations = ApiDocument::load().operations();
    let in_document: BTreeSet<_> =
        operations.iter().filter(|one| has_pages(one)).map(|one| one.id.as_str()).collect();
    let missing: Vec<_> = in_document.difference(&known).collect();
    assert!(missing.is_empty(), "add {missing:?} to lists.rs");
    assert!(marker_routes().iter().all(|(operation, _, _)| known.contains(operation)));
    assert_eq!(marker_routes().len(), known.len(), "and in nobodys_lists() too");
}

/// A server whose document nothing needs to parse twice.
async fn start_api() -> Api {
    Api::start(&[]).await
}
