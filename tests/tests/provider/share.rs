//! `imageshare_share`, from its creation to its end.

use serde_json::json;

use crate::world::World;

fn share(images: &[&str], projects: &[&str], more: &str) -> String {
    format!(
        "resource \"imageshare_share\" \"s\" {{\n  image_ids   = {images:?}\n  project_ids = {projects:?}\n{more}}}\n"
    )
}

#[tokio::test]
async fn share_is_created_updated_and_destroyed() {
    let Some(world) = World::new().await else { return };
    let (a, b) = (world.image(json!({"name": "a"})).await, world.image(json!({"name": "b"})).await);
    world.apply(&share(&[&a, &b], &["p1", "p2"], "")).await;
    assert_eq!(world.members(&a).await, ["p1 pending", "p2 pending"]);
    let state = world.project.state("imageshare_share.s").await;
    assert_eq!(state["members"].as_object().map(serde_json::Map::len), Some(4));
    assert_eq!(state["members"][format!("{a}/p1")], "pending");
    assert_eq!(state["id"], format!("{}+1", (&a).min(&b)));

    // The order of a set does not matter.
    world.write(&share(&[&b, &a], &["p2", "p1"], ""));
    world.project.expect_no_changes().await;

    world.write(&share(&[&a], &["p1", "p3"], ""));
    assert_eq!(world.project.planned_changes().await, ["imageshare_share.s update"]);
    world.apply(&share(&[&a], &["p1", "p3"], "")).await;
    assert_eq!(world.members(&a).await, ["p1 pending", "p3 pending"]);
    assert_eq!(world.members(&b).await, [""; 0]);
    world.project.destroy().await;
    assert_eq!(world.members(&a).await, [""; 0]);
}

#[tokio::test]
async fn criterion_1_every_page_of_members_is_read() {
    let Some(world) = World::with_limits(&["members-per-image=2000"]).await else { return };
    let image = world.image(json!({"name": "a"})).await;
    let projects: Vec<String> = (0..1001).map(|n| format!("p{n}")).collect();
    let projects: Vec<&str> = projects.iter().map(String::as_str).collect();
    world.apply(&share(&[&image], &projects, "")).await;
    assert_eq!(world.members(&image).await.len(), 1001);
}

#[tokio::test]
async fn criterion_2_removal_unshares_and_shares_nothing() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.apply(&share(&[&image], &["p1", "p2", "p3"], "")).await;
    let before = world.job_kinds();
    world.apply(&share(&[&image], &["p2"], "")).await;
    let made: Vec<_> = world.job_kinds().into_iter().skip(before.len()).collect();
    assert_eq!((before.len(), made.len()), (1, 1));
    assert_eq!(world.members(&image).await, ["p2 pending"]);
}

#[tokio::test]
async fn criterion_3_project_that_is_not_known_yet_is_added() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.apply(&share(&[&image], &["p1"], "")).await;
    let with_unknown = format!(
        "resource \"terraform_data\" \"new\" {{\n  input = \"p9\"\n}}\nresource \"imageshare_share\" \"s\" {{\n  \
         image_ids   = [{image:?}]\n  project_ids = [\"p1\", terraform_data.new.output]\n}}\n"
    );
    world.write(&with_unknown);
    let changes = world.project.planned_changes().await;
    assert!(changes.contains(&"imageshare_share.s update".to_owned()), "{changes:?}");
    world.apply(&with_unknown).await;
    assert_eq!(world.members(&image).await, ["p1 pending", "p9 pending"]);
}

#[tokio::test]
async fn criterion_5_public_image_is_refused_at_its_argument() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a", "visibility": "community"})).await;
    world.write(&share(&[&image], &["p1"], ""));
    let ended = world.project.try_apply().await;
    ended.expect_error(&["Images were not shared with projects", "image_ids", "IMG.0089"]);
    assert_eq!(world.project.planned_changes().await, ["imageshare_share.s create"]);
}

#[tokio::test]
async fn drift_of_a_share_is_seen_and_repaired() {
    let Some(world) = World::new().await else { return };
    let (a, b) = (world.image(json!({"name": "a"})).await, world.image(json!({"name": "b"})).await);
    let wanted = share(&[&a, &b], &["p1", "p2"], "");
    world.apply(&wanted).await;
    world.unshare(&b, "p2").await;
    let plan = world.project.planned().await;
    let change = &plan["resource_changes"][0]["change"];
    assert_eq!(
        (&change["before"]["project_ids"], &change["after"]["project_ids"]),
        (&json!(["p1"]), &json!(["p1", "p2"]))
    );
    world.apply(&wanted).await;
    assert_eq!(world.members(&b).await, ["p1 pending", "p2 pending"]);

    for project in ["p1", "p2"] {
        world.unshare(&a, project).await;
        world.unshare(&b, project).await;
    }
    assert_eq!(world.project.planned_changes().await, ["imageshare_share.s create"]);
    world.apply(&wanted).await;
    world.unshare(&a, "p1").await;
    world.project.run(&["destroy", "-auto-approve", "-no-color", "-refresh=false"]).await.expect_success();
    assert_eq!(world.members(&b).await, [""; 0]);
}

#[tokio::test]
async fn criterion_13_share_of_a_deleted_image_is_planned_anew() {
    let Some(world) = World::new().await else { return };
    let configuration = r#"
resource "imageshare_image" "i" {
  name       = "a"
  on_destroy = "unshare"
}
resource "imageshare_share" "s" {
  image_ids   = [imageshare_image.i.id]
  project_ids = ["mem1"]
}
resource "imageshare_acceptance" "a" {
  provider = imageshare.recipient
  image_id = tolist(imageshare_share.s.image_ids)[0]
}
"#;
    world.apply(configuration).await;
    let id = world.text("imageshare_image.i", "id").await;
    world.send("own1", "DELETE", &format!("/v2/images/{id}"), None).await.expect_status(204);
    let mut changes = world.project.planned_changes().await;
    changes.sort();
    assert_eq!(
        changes,
        ["imageshare_acceptance.a create", "imageshare_image.i create", "imageshare_share.s create"]
    );
    world.project.run(&["destroy", "-auto-approve", "-no-color", "-refresh=false"]).await.expect_success();

    world.write(&format!("data \"imageshare_image_members\" \"m\" {{\n  image_id = {id:?}\n}}\n"));
    let ended = world.project.run(&["plan", "-no-color"]).await;
    ended.expect_error(&["The image does not exist", &id]);
}

#[tokio::test]
async fn criterion_16_members_of_others_stay_unless_exclusive() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    world.share(&image, "other").await;
    world.apply(&share(&[&image], &["p1", "p2"], "")).await;
    world.apply(&share(&[&image], &["p1"], "")).await;
    assert_eq!(world.members(&image).await, ["other pending", "p1 pending"]);
    world.project.destroy().await;
    assert_eq!(world.members(&image).await, ["other pending"]);

    let exclusive = share(&[&image], &["p1"], "  exclusive = true\n");
    world.write(&exclusive);
    world.project.plan().await.expect_output(&["Members will be removed", &format!("{image}/other")]);
    world.apply(&exclusive).await;
    assert_eq!(world.members(&image).await, ["p1 pending"]);
    world.share(&image, "other").await;
    world.project.plan().await.expect_output(&["- \"other\""]);
    world.apply(&exclusive).await;
    assert_eq!(world.members(&image).await, ["p1 pending"]);
}

#[tokio::test]
async fn criterion_18_unknown_project_is_named() {
    use imageshare_tests::api::Api;
    use imageshare_tests::terraform::{Project, Release};
    let Some(project) = Project::new(Release::Installed).await else { return };
    let world = World::over(Api::start_with(&[], true).await, project);
    let image = world.image(json!({"name": "a"})).await;
    world.write(&share(&[&image], &["acme"], ""));
    world.project.try_apply().await.expect_error(&["project acme", "IMG.0108"]);
}

#[tokio::test]
async fn criterion_19_account_is_followed_to_its_project() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    let tenant = |account: &str| Some(json!({"account": account, "project": "web"}));
    world.send("admin", "PUT", "/v1/tenants/p1", tenant("Acme")).await.expect_status(200);
    let by_name = format!(
        "resource \"imageshare_share\" \"s\" {{\n  image_ids = [{image:?}]\n  accounts = [{{ name = \"Acme\" }}]\n}}\n"
    );
    world.apply(&by_name).await;
    assert_eq!(world.members(&image).await, ["p1 pending"]);

    world.send("admin", "PUT", "/v1/tenants/p1", tenant("Other")).await.expect_status(200);
    world.send("admin", "PUT", "/v1/tenants/p2", tenant("Acme")).await.expect_status(200);
    assert_eq!(world.project.planned_changes().await, ["imageshare_share.s update"]);
    world.apply(&by_name).await;
    assert_eq!(world.members(&image).await, ["p2 pending"]);

    let unknown = by_name.replace("Acme", "Nobody");
    world.write(&unknown);
    world.project.plan().await.expect_output(&["Account Nobody is not known", "The apply looks again"]);
    world.project.try_apply().await.expect_error(&["Account Nobody is not known", "Check the spelling"]);
    // It may be entered by the same apply.
    world
        .apply(&format!(
            "resource \"imageshare_tenant\" \"t\" {{\n  provider = imageshare.admin\n  project_id = \"p3\"\n  account = \
             \"Nobody\"\n  project = \"web\"\n}}\n{}",
            unknown.replace("\"Nobody\"", "imageshare_tenant.t.account")
        ))
        .await;
    assert_eq!(world.members(&image).await, ["p3 pending"]);
}

#[tokio::test]
async fn criterion_20_missing_key_grant_is_named() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "sealed", "__system__cmkid": "key-1"})).await;
    let alone = share(&[&image], &["p1"], "");
    world.write(&alone);
    let ended = world.project.try_apply().await;
    ended.expect_error(&["project p1", "imageshare_key_grant", "IMG.0099"]);

    let with_grant = format!(
        "resource \"imageshare_key_grant\" \"g\" {{\n  key_id = \"key-1\"\n  project_id = \"p1\"\n}}\n{}",
        share(&[&image], &["p1"], "  depends_on = [imageshare_key_grant.g]\n")
    );
    world.apply(&with_grant).await;
    assert_eq!(world.members(&image).await, ["p1 pending"]);
}

#[tokio::test]
async fn failed_pair_is_named_and_tried_again() {
    let Some(world) = World::new().await else { return };
    let (plain, sealed) = (
        world.image(json!({"name": "a"})).await,
        world.image(json!({"name": "b", "__system__cmkid": "key-1"})).await,
    );
    let wanted = share(&[&plain, &sealed], &["p1"], "");
    world.write(&wanted);
    // The share that works is not thrown away, so what failed is a warning of its creation.
    world
        .project
        .apply()
        .await
        .expect_output(&[&format!("Image {sealed} was not shared with project p1"), "IMG.0099"]);
    assert_eq!(world.project.planned_changes().await, ["imageshare_share.s update"]);
    let refused = world.project.try_apply().await;
    refused
        .expect_error(&[&format!("Image {sealed} was not shared with project p1"), "imageshare_key_grant"]);

    world.send("own1", "PUT", "/v1/keys/key-1/grants/p1", None).await.expect_status(200);
    world.apply(&wanted).await;
    assert_eq!(
        (world.members(&plain).await, world.members(&sealed).await),
        (vec!["p1 pending".to_owned()], vec!["p1 pending".to_owned()])
    );
}

#[tokio::test]
async fn criterion_23_imported_share_equals_the_created_one() {
    let Some(world) = World::new().await else { return };
    let (a, b) = (world.image(json!({"name": "a"})).await, world.image(json!({"name": "b"})).await);
    world.apply(&share(&[&a, &b], &["p1", "p2"], "")).await;
    world.expect_import_equals("imageshare_share.s", &format!("{a},{b}"), &[]).await;
    world.project.expect_no_changes().await;
    world.share(&a, "other").await;
    world.expect_import_equals("imageshare_share.s", &format!("{b},{a}/p2,p1"), &[]).await;
    world.project.expect_no_changes().await;
    world.project.run(&["state", "rm", "imageshare_share.s"]).await.expect_success();
    let missing = world.project.import("imageshare_share.s", "d164b5df-1bc3-4c3f-893e-3e471fd16e64").await;
    missing.expect_error(&["does not exist"]);
}

#[tokio::test]
async fn decision_is_waited_for_as_long_as_timeouts_permit() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "a"})).await;
    let waiting = share(
        &[&image],
        &["mem1"],
        "  wait_for = \"decision\"\n  timeouts = { create = \"1s\", update = \"1s\" }\n",
    );
    world.write(&waiting);
    world.project.apply().await.expect_output(&["Not all projects have decided", "1 of 1"]);
    world.project.expect_no_changes().await;
    world.decide(&image, "mem1", "accepted").await;
    world.project.run(&["apply", "-refresh-only", "-auto-approve", "-no-color"]).await.expect_success();
    let state = world.project.state("imageshare_share.s").await;
    assert_eq!(state["members"][format!("{image}/mem1")], "accepted");
}

#[tokio::test]
async fn criterion_11_interrupted_share_is_destroyed_completely() {
    let Some(world) = World::new().await else { return };
    let mut images = Vec::new();
    for n in 0..20 {
        images.push(world.image(json!({"name": format!("image-{n}")})).await);
    }
    let projects: Vec<String> = (0..100).map(|n| format!("p{n}")).collect();
    let (images, projects): (Vec<&str>, Vec<&str>) =
        (images.iter().map(String::as_str).collect(), projects.iter().map(String::as_str).collect());
    world.write(&share(&images, &projects, ""));
    let apply = world.project.start(&["apply", "-auto-approve", "-no-color"]);
    while world.job_kinds().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let group = format!("-{}", apply.id().expect("a process"));
    let sent = tokio::process::Command::new("kill").args(["-INT", "--", &group]).status().await;
    assert!(sent.is_ok_and(|sent| sent.success()));
    let ended = world.project.wait(apply).await;
    let stored = world.project.stored_state();
    assert!(stored.contains("imageshare_share") && !stored.contains("tainted"), "{ended:?}");
    world.project.destroy().await;
    world.api.wait_until_idle().await;
    for image in images {
        assert_eq!(world.members(image).await, [""; 0]);
    }
}
