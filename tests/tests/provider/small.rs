//! Key grants, tenants, owner policies, share rules and access keys, from their creation to their end.

use serde_json::json;

use crate::world::World;

const GONE: [&str; 4] = ["destroy", "-auto-approve", "-no-color", "-refresh=false"];

#[tokio::test]
async fn key_grant_lives_and_warns_at_its_end() {
    let Some(world) = World::new().await else { return };
    let grant =
        "resource \"imageshare_key_grant\" \"g\" {\n  key_id = \"key-1\"\n  project_id = \"mem1\"\n}\n";
    world.apply(grant).await;
    world.expect_import_equals("imageshare_key_grant.g", "key-1/mem1", &[]).await;
    world.send("own1", "DELETE", "/v1/keys/key-1/grants/mem1", None).await.expect_status(200);
    assert_eq!(world.project.planned_changes().await, ["imageshare_key_grant.g create"]);
    world.apply(grant).await;

    let image = world.image(json!({"name": "sealed", "__system__cmkid": "key-1"})).await;
    world.share(&image, "mem1").await;
    world.write(&grant.replace("mem1", "mem2"));
    assert_eq!(world.project.planned_changes().await, ["imageshare_key_grant.g replace"]);
    world.project.apply().await.expect_output(&["rely on the withdrawn key grant", &image]);
    world.send("own1", "DELETE", "/v1/keys/key-1/grants/mem2", None).await.expect_status(200);
    world.project.run(&GONE).await.expect_success();
}

#[tokio::test]
async fn tenant_is_created_updated_and_destroyed() {
    let Some(world) = World::new().await else { return };
    let tenant = "resource \"imageshare_tenant\" \"t\" {\n  provider = imageshare.admin\n  project_id = \"p1\"\n  account = \"Acme\"\n  project = \"web\"\n}\n";
    world.apply(tenant).await;
    world.expect_import_equals("imageshare_tenant.t", "p1", &[]).await;
    let changed =
        tenant.replace("\"web\"", "\"shop\"\n  organization = \"o1\"\n  cloud_account = \"123456789012\"");
    world.write(&changed);
    assert_eq!(world.project.planned_changes().await, ["imageshare_tenant.t update"]);
    world.apply(&changed).await;
    world
        .send("admin", "PUT", "/v1/tenants/p1", Some(json!({"account": "Acme", "project": "web"})))
        .await
        .expect_status(200);
    assert_eq!(world.project.planned_changes().await, ["imageshare_tenant.t update"]);
    world.apply(&changed).await;
    world.apply(tenant).await;
    world.write(&tenant.replace("\"p1\"", "\"p2\""));
    assert_eq!(world.project.planned_changes().await, ["imageshare_tenant.t replace"]);
    world.project.apply().await;
    world.send("admin", "DELETE", "/v1/tenants/p2", None).await.expect_status(204);
    world.project.run(&GONE).await.expect_success();

    world.write(&tenant.replace("  provider = imageshare.admin\n", ""));
    world.project.try_apply().await.expect_error(&[
        "The directory entry was not written",
        "own1",
        "HTTP 403",
        "request id",
    ]);
}

#[tokio::test]
async fn owner_is_trusted_blocked_and_forgotten() {
    let Some(world) = World::new().await else { return };
    let owner = "resource \"imageshare_trusted_owner\" \"o\" {\n  provider = imageshare.recipient\n  project_id = \"own1\"\n}\n";
    world.apply(owner).await;
    world.expect_import_equals("imageshare_trusted_owner.o", "own1", &[]).await;
    let blocked = owner.replace("\"own1\"", "\"own1\"\n  policy = \"blocked\"");
    world.write(&blocked);
    assert_eq!(world.project.planned_changes().await, ["imageshare_trusted_owner.o update"]);
    world.apply(&blocked).await;
    world.send("mem1", "PUT", "/v1/owners/own1", Some(json!({"policy": "trusted"}))).await.expect_status(200);
    assert_eq!(world.project.planned_changes().await, ["imageshare_trusted_owner.o update"]);
    world.write(&blocked.replace("own1", "own2"));
    assert_eq!(world.project.planned_changes().await, ["imageshare_trusted_owner.o replace"]);
    world.project.apply().await;
    world.send("mem1", "DELETE", "/v1/owners/own2", None).await.expect_status(204);
    assert_eq!(world.project.planned_changes().await, ["imageshare_trusted_owner.o create"]);
    world.project.run(&GONE).await.expect_success();

    world.write(&blocked.replace("\"blocked\"", "\"blocked\"\n  vault_id = \"v1\""));
    world.project.run(&["validate", "-no-color"]).await.expect_error(&["vault_id has no use here"]);
}

const RULE: &str = r#"
resource "imageshare_share_rule" "r" {
  name        = "golden"
  pattern     = jsonencode({ name = [{ wildcard = "golden-*" }], min_disk = [{ numeric = [">=", 10] }] })
  project_ids = ["p1"]
}
"#;

#[tokio::test]
async fn share_rule_is_created_updated_and_destroyed() {
    let Some(world) = World::new().await else { return };
    let image = world.image(json!({"name": "golden-1", "min_disk": 20})).await;
    world.apply(RULE).await;
    assert_eq!(world.members(&image).await, [""; 0]);
    world.expect_import_equals("imageshare_share_rule.r", "golden", &[]).await;

    let changed = RULE.replace("[\"p1\"]", "[\"p1\", \"p2\"]\n  enabled = false\n  apply_existing = true");
    world.write(&changed);
    assert_eq!(world.project.planned_changes().await, ["imageshare_share_rule.r update"]);
    world.apply(&changed).await;
    assert_eq!(world.members(&image).await, ["p1 pending", "p2 pending"]);

    world.send("own1", "POST", "/v1/share-rules/golden/enable", None).await.expect_status(200);
    assert_eq!(world.project.planned_changes().await, ["imageshare_share_rule.r update"]);
    world.apply(&changed).await;
    world.write(&changed.replace("= \"golden\"", "= \"silver\""));
    assert_eq!(world.project.planned_changes().await, ["imageshare_share_rule.r replace"]);
    world.project.apply().await;
    world.send("own1", "DELETE", "/v1/share-rules/silver", None).await.expect_status(204);
    assert_eq!(world.project.planned_changes().await, ["imageshare_share_rule.r create"]);
    world.project.run(&GONE).await.expect_success();
}

#[tokio::test]
async fn faulty_share_rule_is_refused_at_its_argument() {
    let Some(world) = World::new().await else { return };
    world.write(&RULE.replace("wildcard", "wild"));
    world.project.try_apply().await.expect_error(&["pattern.name[0]", "on main.tf line"]);
    world.write(&RULE.replace("jsonencode({", "jsonencode([{").replace("})\n", "}])\n"));
    world.project.run(&["validate", "-no-color"]).await.expect_error(&["Expected a JSON object"]);
    world.write(&RULE.replace("project_ids = [\"p1\"]", ""));
    world
        .project
        .run(&["validate", "-no-color"])
        .await
        .expect_error(&["One of project_ids, accounts, organizations has to be set"]);
}

const KEY: &str = r#"
variable "secret" {
  sensitive = true
  ephemeral = true
}
resource "imageshare_access_key" "k" {
  name              = "ci"
  secret_wo         = var.secret
  secret_wo_version = 1
}
"#;
const SECRET: &str = "correct-horse-battery-staple-0001";

#[tokio::test]
async fn access_key_is_created_renamed_and_disabled() {
    let Some(mut world) = World::new().await else { return };
    world.project = world.project.env("TF_VAR_secret", SECRET);
    world.apply(KEY).await;
    let id = world.text("imageshare_access_key.k", "id").await;
    world.expect_import_equals("imageshare_access_key.k", &id, &["secret_wo_version"]).await;
    assert_eq!(world.project.planned_changes().await, ["imageshare_access_key.k update"]);
    world.apply(KEY).await;

    let renamed = KEY.replace("\"ci\"", "\"cd\"");
    world.write(&renamed);
    assert_eq!(world.project.planned_changes().await, ["imageshare_access_key.k update"]);
    world.apply(&renamed).await;
    assert_eq!(world.text("imageshare_access_key.k", "id").await, id);

    world.write(&renamed.replace("= 1\n", "= 2\n"));
    assert_eq!(world.project.planned_changes().await, ["imageshare_access_key.k replace"]);
    world.project.apply().await;
    let path = format!("/v1/access-keys/{}", world.text("imageshare_access_key.k", "id").await);
    world.send("own1", "DELETE", &path, None).await.expect_status(204);
    assert_eq!(world.project.planned_changes().await, ["imageshare_access_key.k create"]);
    world.project.run(&GONE).await.expect_success();
}

#[tokio::test]
async fn criterion_25_secret_is_stored_nowhere() {
    let Some(mut world) = World::new().await else { return };
    world.project =
        world.project.env("TF_VAR_secret", SECRET).env("TF_LOG", "TRACE").env("TF_LOG_PATH", "trace.log");
    let secret = format!(
        "{KEY}\nephemeral \"imageshare_token\" \"t\" {{\n  access_key_id = imageshare_access_key.k.id\n  secret_access_key = var.secret\n}}\n"
    );
    world.write(&secret);
    world.project.run(&["plan", "-no-color", "-out=plan"]).await.expect_success();
    let applied = world.project.run(&["apply", "-no-color", "plan"]).await.expect_success();
    assert!(!format!("{applied:?}").contains(SECRET));
    let token = world.api.token("own1", imageshare::domain::Role::Member);
    for file in ["terraform.tfstate", "plan", "trace.log"] {
        let bytes = std::fs::read(world.project.path().join(file)).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(SECRET) && !text.contains(&token), "{file}");
    }
    let trace = std::fs::read_to_string(world.project.path().join("trace.log")).expect("a log");
    assert!(trace.contains("/v1/access-keys"), "the log has the provider's calls");

    let kept =
        "resource \"imageshare_access_key\" \"kept\" {\n  name = \"kept\"\n  secret_in_state = true\n}\n";
    world.apply(kept).await;
    assert_eq!(world.text("imageshare_access_key.kept", "secret").await.len(), 64);
    world.write(&kept.replace("  secret_in_state = true\n", ""));
    world.project.run(&["validate", "-no-color"]).await.expect_error(&["The secret would be lost"]);
}
