//! `GET /v2/images` as the inbox of a recipient, row by row of `contract/glance.md` 2.6.

use serde_json::json;

use super::World;

/// What `me` sees: its own images, those shared with it, and open ones.
async fn inbox_world() -> World {
    let world = World::start(&[]).await;
    for (owner, name, visibility) in [
        ("me", "mine-private", "private"),
        ("me", "mine-shared", "shared"),
        ("me", "mine-community", "community"),
        ("own1", "waits", "shared"),
        ("own1", "taken", "shared"),
        ("own1", "refused", "shared"),
        ("own1", "secret", "shared"),
        ("own1", "public", "public"),
        ("own1", "community", "community"),
    ] {
        let image = world.create_image(owner, &json!({"name": name, "visibility": visibility})).await;
        match name {
            "waits" => world.share(owner, &image, "me", "pending").await,
            "taken" => world.share(owner, &image, "me", "accepted").await,
            "refused" => world.share(owner, &image, "me", "rejected").await,
            _ => {}
        }
    }
    world
}

#[tokio::test]
async fn recipient_lists_the_same_images_as_in_glance() {
    let world = inbox_world().await;
    for (query, expected) in [
        ("", "public taken mine-community mine-shared mine-private"),
        ("visibility=shared", "taken mine-shared"),
        ("visibility=shared&member_status=pending", "waits mine-shared"),
        ("visibility=shared&member_status=accepted", "taken mine-shared"),
        ("visibility=shared&member_status=rejected", "refused mine-shared"),
        ("visibility=shared&member_status=all", "refused taken waits mine-shared"),
        ("member_status=pending", "public waits mine-community mine-shared mine-private"),
        ("visibility=private", "mine-private"),
        ("visibility=public", "public"),
        ("visibility=community", "community mine-community"),
        ("visibility=all", "community public taken mine-community mine-shared mine-private"),
        ("owner=own1", "public taken"),
        ("owner=own1&visibility=shared&member_status=pending", "waits"),
        ("owner=own1&visibility=shared&member_status=all", "refused taken waits"),
        ("owner=me", "mine-community mine-shared mine-private"),
        ("owner=me&visibility=shared&member_status=rejected", "mine-shared"),
        ("owner=nobody", ""),
        ("owner=a%2Fb", ""),
        ("__imagetype=shared", ""),
        ("limit=0", ""),
    ] {
        assert_eq!(world.image_names("me", query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn list_errors_use_glance_messages() {
    let world = inbox_world().await;
    let unknown = "7f1b5c0e-0d4a-4a53-9c3e-1f8b7c6d5e4f";
    let hidden = world.request("own1", "GET", "/v2/images?name=secret").await.body["images"][0]["id"].clone();
    for (query, message) in [
        ("member_status=bogus", "Invalid status: bogus".to_owned()),
        ("member_status=", "Invalid status: ".to_owned()),
        ("visibility=bogus", "Invalid visibility value: bogus".to_owned()),
        ("limit=-1", "limit param must be positive".to_owned()),
        ("limit=x", "limit param must be an integer".to_owned()),
        (&format!("marker={unknown}"), format!("No image found with ID {unknown}")),
        (&format!("sort_key=name&marker={unknown}"), format!("No image found with ID {unknown}")),
        (
            &format!("marker={}", hidden.as_str().unwrap()),
            format!("No image found with ID {}", hidden.as_str().unwrap()),
        ),
        ("marker=a%23b", "No image found with ID a#b".to_owned()),
        (
            "sort_key=bogus",
            "Invalid sort key: bogus. It must be one of the following: name, status, container_format, disk_format, size, id, created_at, updated_at."
                .to_owned(),
        ),
        ("sort_dir=x", "Invalid sort direction: x".to_owned()),
        ("sort=name:asc&sort_key=id", "Old and new sorting syntax cannot be combined".to_owned()),
        (
            "sort_key=name&sort_key=id&sort_dir=asc&sort_dir=asc&sort_dir=asc",
            "Number of sort dirs does not match the number of sort keys".to_owned(),
        ),
        ("protected=x", "Invalid value 'x' for 'protected' filter. Valid values are 'true' or 'false'.".to_owned()),
    ] {
        let response = world.request("me", "GET", &format!("/v2/images?{query}")).await;
        response.expect_message(400, message.as_str());
    }
}

#[tokio::test]
async fn admin_lists_the_images_of_any_owner() {
    let world = inbox_world().await;
    let request = imageshare_tests::api::ApiRequest::new("GET", "/v2/images?owner=own1&visibility=shared");
    let response = world.send("adm1", imageshare::domain::Role::Admin, request).await;
    assert_eq!(super::image_names_on(&response.body), "secret refused taken waits");
}
