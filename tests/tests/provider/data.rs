//! The data sources, and the function.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn criterion_21_images_are_found_by_every_filter() {
    let Some(world) = World::new().await else { return };
    let one = world.image(json!({"name": "golden-1", "tags": ["released"], "visibility": "community"})).await;
    let two = world.image(json!({"name": "golden-2", "os_hidden": true})).await;
    world.share(&two, "mem1").await;
    let found = |filters: &str| format!("data \"imageshare_images\" \"d\" {{\n{filters}\n}}\n");
    for (filters, expected) in [
        (format!("image_id = {one:?}"), json!([one])),
        (format!("image_id = {two:?}"), json!([two])),
        ("name = \"golden-1\"".to_owned(), json!([one])),
        ("name_glob = \"golden-*\"".to_owned(), json!([one])),
        ("tags = [\"released\"]".to_owned(), json!([one])),
        (
            "visibility = \"community\"\n  owner_project_id = \"own1\"\n  newest = true".to_owned(),
            json!([one]),
        ),
        ("name = \"silver\"".to_owned(), json!([])),
        ("image_id = \"nothing\"".to_owned(), json!([])),
    ] {
        world.write(&format!(
            "{}output \"ids\" {{ value = data.imageshare_images.d.images[*].id }}\n",
            found(&filters)
        ));
        world.project.apply().await;
        assert_eq!(world.project.output("ids").await, expected, "{filters}");
    }
}

#[tokio::test]
async fn criterion_22_recipient_sees_the_owners_tags() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "golden", "tags": ["released"], "team": "platform"})).await;
    world.share(&image, "mem1").await;
    world.apply(
        "data \"imageshare_images\" \"pending\" {\n  provider = imageshare.recipient\n  visibility = \"shared\"\n  member_status = \"pending\"\n}\n",
    )
    .await;
    let found = &world.project.state("data.imageshare_images.pending").await["images"][0];
    assert_eq!((&found["tags"], &found["properties"]), (&json!(["released"]), &json!({"team": "platform"})));
}

#[tokio::test]
async fn shared_images_are_found_by_status_and_owner() {
    let Some(world) = World::new().await else { return };
    let (a, b) = (world.image(json!({"name": "a"})).await, world.image(json!({"name": "b"})).await);
    world.share(&a, "mem1").await;
    world.share(&b, "mem1").await;
    world.decide(&b, "mem1", "accepted").await;
    let found = |filters: &str| {
        format!(
            "data \"imageshare_shared_images\" \"d\" {{\n  provider = imageshare.recipient\n{filters}}}\n"
        )
    };
    for (filters, expected) in [
        ("  statuses = [\"pending\"]\n", json!([a])),
        ("  owner_project_ids = [\"own1\"]\n  statuses = [\"accepted\", \"rejected\"]\n", json!([b])),
        ("  owner_project_ids = [\"own2\"]\n", json!([])),
        ("  name_glob = \"b*\"\n", json!([b])),
    ] {
        world.apply(&found(filters)).await;
        let state = world.project.state("data.imageshare_shared_images.d").await;
        assert_eq!(state["image_ids"], expected, "{filters}");
    }
}

#[tokio::test]
async fn members_jobs_tenants_and_quotas_are_read() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    let names = json!({"account": "Acme", "project": "web"});
    world.send("admin", "PUT", "/v1/tenants/mem1", Some(names)).await.expect_status(200);
    let body = json!({"images": [image], "projects": ["mem1"]});
    let job = world.send("own1", "POST", "/v1/cloudimages/members", Some(body)).await.body["job_id"].clone();
    world.decide(&image, "mem1", "rejected").await;
    world
        .apply(&format!(
            r#"
data "imageshare_image_members" "m" {{ image_id = {image:?} }}
data "imageshare_job" "j" {{ job_id = {job} }}
data "imageshare_tenant" "t" {{ account = "Acme" }}
data "imageshare_quota" "q" {{}}
output "parsed" {{ value = provider::imageshare::parse_share_id("a/p") }}
"#
        ))
        .await;
    let state = |address: &'static str| world.project.state(address);
    assert_eq!(state("data.imageshare_image_members.m").await["rejected"], json!(["mem1"]));
    let job = state("data.imageshare_job.j").await;
    assert_eq!(
        (&job["status"], &job["outcomes"][format!("{image}/mem1")]),
        (&json!("SUCCESS"), &json!("shared"))
    );
    assert_eq!(state("data.imageshare_tenant.t").await["project_id"], "mem1");
    assert_eq!(state("data.imageshare_quota.q").await["quotas"]["image"]["used"], 1);
    assert_eq!(world.project.output("parsed").await, json!({"image_id": "a", "project_id": "p"}));

    world.write("data \"imageshare_tenant\" \"t\" { account = \"Nobody\" }\n");
    world.project.run(&["plan", "-no-color"]).await.expect_error(&["no account \"Nobody\""]);
    world.write("data \"imageshare_job\" \"j\" { job_id = \"019abc0e4f1c7d3e9b5a6c7d8e9f0a1b\" }\n");
    world.project.run(&["plan", "-no-color"]).await.expect_error(&["The job does not exist"]);
    world.write("output \"p\" { value = provider::imageshare::parse_share_id(\"ap\") }\n");
    world.project.run(&["plan", "-no-color"]).await.expect_error(&["Expected IMAGE/PROJECT"]);
}
