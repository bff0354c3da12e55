//! `GET /v2/images`: filters, order and pages.

use imageshare_tests::api::ApiResponse;
use serde_json::{Value, json};

use super::{World, image_names_on};

#[tokio::test]
async fn images_are_filtered_by_their_shown_attributes() {
    let world = World::start(&[]).await;
    let first = world
        .create_image(
            "own1",
            &json!({"name": "a,1", "tags": ["x", "y"], "min_disk": 9, "disk_format": "raw", "own": "é &"}),
        )
        .await;
    let second = world.create_image("own1", &json!({"name": "b:2", "tags": ["x"], "protected": true})).await;
    let third = world.create_image("own1", &json!({"name": "c", "os_hidden": true})).await;
    for (query, expected) in [
        (String::new(), "b:2 a,1"),
        (format!("id={first}"), "a,1"),
        (format!("id=in:{first},{second},{second},none,a%2Fb"), "b:2 a,1"),
        (format!("id=in:{first},{second}&sort_key=name&sort_dir=asc"), "a,1 b:2"),
        (format!("id=in:{first},{second}&limit=1"), "b:2"),
        (format!("id=in:{first},{second}&marker={second}"), "a,1"),
        (format!("id={third}"), ""),
        (format!("id={third}&os_hidden=true"), "c"),
        ("id=nothing".to_owned(), ""),
        ("name=b:2".to_owned(), "b:2"),
        ("name=in:%22a,1%22,c".to_owned(), "a,1"),
        ("status=active".to_owned(), "b:2 a,1"),
        ("status=in:queued,saving".to_owned(), ""),
        ("disk_format=raw".to_owned(), "a,1"),
        ("container_format=bare".to_owned(), ""),
        ("tag=x".to_owned(), "b:2 a,1"),
        ("tag=x&tag=y".to_owned(), "a,1"),
        ("protected=true".to_owned(), "b:2"),
        ("os_hidden=True".to_owned(), "c"),
        ("min_disk=9".to_owned(), "a,1"),
        ("size_min=1".to_owned(), ""),
        ("size_max=0".to_owned(), "b:2 a,1"),
        ("created_at=gt:2020&updated_at=gte:2020-01".to_owned(), "b:2 a,1"),
        ("own=%C3%A9+%26".to_owned(), "a,1"),
        ("created_at=lt:2020-01-01T00:00:00Z".to_owned(), ""),
        ("created_at=gt:2020-01-01T00:00:00Z&updated_at=gte:2020-01-01T00:00:00".to_owned(), "b:2 a,1"),
    ] {
        assert_eq!(world.image_names("own1", &query).await, expected, "{query}");
    }
    for query in ["changes-since=2024-11-06T06:30:00Z", "created_at=202411", "min_ram=-1"] {
        world.request("own1", "GET", &format!("/v2/images?{query}")).await.expect_status(400);
    }
    let stranger = format!("id=in:{first},{second}&visibility=all&member_status=all");
    assert_eq!(world.image_names("str1", &stranger).await, "");
}

async fn fetch_pages(world: &World, query: &str) -> Vec<ApiResponse> {
    let mut pages = vec![world.request("own1", "GET", &format!("/v2/images?{query}")).await];
    while let Some(next) = pages.last().unwrap().body["next"].as_str() {
        let page = world.request("own1", "GET", next).await;
        page.expect_status(200);
        pages.push(page);
    }
    pages
}

#[tokio::test]
async fn pagination_shows_every_image_once_in_every_order() {
    let world = World::start(&[]).await;
    for name in ["c", "a", "e", "b", "d"] {
        world.create_image("own1", &json!({"name": name, "own": if name < "c" { "1" } else { "2" }})).await;
    }
    for (query, expected) in [
        ("limit=2", "d b e a c"),
        ("limit=2&sort_dir=asc", "c a e b d"),
        ("limit=2&sort=name:asc", "a b c d e"),
        ("limit=2&sort_key=name&sort_dir=desc", "e d c b a"),
        ("limit=1&sort_key=status&sort_key=name&sort_dir=asc", "a b c d e"),
        ("limit=2&sort_key=size", "d b e a c"),
        ("limit=2&sort_key=size&sort_dir=asc", "c a e b d"),
        ("limit=2&sort=disk_format:asc", "c a e b d"),
        ("limit=1&own=2", "d e c"),
        ("limit=5", "d b e a c"),
        ("", "d b e a c"),
    ] {
        let pages = fetch_pages(&world, query).await;
        let shown: Vec<_> = pages.iter().map(|page| image_names_on(&page.body)).collect();
        assert_eq!(shown.join(" ").trim(), expected, "{query}");
        for page in &pages {
            assert_eq!(page.body["schema"], "/v2/schemas/images");
            let first =
                if query.is_empty() { "/v2/images".to_owned() } else { format!("/v2/images?{query}") };
            assert_eq!(page.body["first"], first.replace(':', "%3A"));
        }
    }
}

#[tokio::test]
async fn default_page_size_is_25() {
    let world = World::start(&[]).await;
    for number in 0..30 {
        world.create_image("own1", &json!({"name": format!("{number:02}")})).await;
    }
    let lengths = async |query: &str| {
        let pages = fetch_pages(&world, query).await;
        pages.iter().map(|page| page.body["images"].as_array().unwrap().len()).collect::<Vec<_>>()
    };
    assert_eq!(lengths("").await, [25, 5]);
    assert_eq!(lengths("limit=30").await, [30]);
    assert_eq!(lengths("limit=200&sort_key=name&sort_dir=asc").await, [30]);
    assert_eq!(lengths("limit=10").await, [10, 10, 10]);
}

#[tokio::test]
async fn listed_image_equals_the_shown_image() {
    let world = World::start(&[]).await;
    let image = world.create_image("own1", &json!({"name": "web", "__os_type": "Linux"})).await;
    world.share("own1", &image, "mem1", "accepted").await;
    let shown = world.request("mem1", "GET", &format!("/v2/images/{image}")).await.body;
    for project in ["own1", "mem1"] {
        let list = world.request(project, "GET", "/v2/images").await.body;
        assert_eq!(list, json!({"images": [shown], "first": "/v2/images", "schema": "/v2/schemas/images"}));
    }
    assert_eq!(shown["__os_type"], Value::from("Linux"));
    let with_body = world.request_with_body("own1", "GET", "/v2/images", &json!({})).await;
    with_body.expect_message(400, "A body is not expected with this request.");
}
