//! `imageshare_vault`, from its creation to its end.

use imageshare::domain::Role;
use imageshare_tests::api::{Api, ApiRequest};
use imageshare_tests::terraform::{Project, Release};
use serde_json::json;

const VAULT: &str = r#"
resource "imageshare_vault" "v" {
  vault_id     = "vault-1"
  capacity_gib = 100
}
"#;

/// A server, and a configuration for it with a token of `own1`.
async fn world() -> Option<(Api, Project)> {
    let project = Project::new(Release::Installed).await?;
    let api = Api::start(&[]).await;
    let token = api.token("own1", Role::Member);
    let endpoint = format!("http://{}", api.address());
    Some((api, project.env("IMAGESHARE_ENDPOINT", endpoint).env("IMAGESHARE_TOKEN", token)))
}

async fn send(api: &Api, method: &str, body: Option<serde_json::Value>) -> u16 {
    let request = ApiRequest::new(method, "/v1/vaults/vault-1").token(&api.token("own1", Role::Member));
    let request = if let Some(body) = body { request.json(&body) } else { request };
    api.send(&request).await.status
}

#[tokio::test]
async fn vault_is_created_updated_and_destroyed() {
    let Some((api, project)) = world().await else { return };
    project.write(VAULT);
    assert_eq!(project.planned_changes().await, ["imageshare_vault.v create"]);
    project.apply().await;
    project.expect_no_changes().await;
    let created = project.state("imageshare_vault.v").await;
    assert_eq!((&created["capacity_gib"], &created["status"]), (&json!(100), &json!("available")));

    project.write(&VAULT.replace("= 100", "= 200"));
    assert_eq!(project.planned_changes().await, ["imageshare_vault.v update"]);
    project.apply().await;
    project.expect_no_changes().await;
    let updated = project.state("imageshare_vault.v").await;
    assert_eq!((&updated["capacity_gib"], &updated["created_at"]), (&json!(200), &created["created_at"]));

    project.write(&VAULT.replace("vault-1", "vault-2"));
    assert_eq!(project.planned_changes().await, ["imageshare_vault.v replace"]);
    project.apply().await;
    assert_eq!(send(&api, "GET", None).await, 404);
    project.destroy().await;
    assert_eq!(project.state("imageshare_vault.v").await, json!(null));
}

#[tokio::test]
async fn drift_of_a_vault_is_seen_and_repaired() {
    let Some((api, project)) = world().await else { return };
    project.write(VAULT);
    project.apply().await;
    send(&api, "PUT", Some(json!({"protection_type": "backup", "capacity_gib": 70, "status": "lock"}))).await;
    assert_eq!(project.planned_changes().await, ["imageshare_vault.v update"]);
    project.apply().await;
    assert_eq!(project.state("imageshare_vault.v").await["status"], "available");

    assert_eq!(send(&api, "DELETE", None).await, 204);
    assert_eq!(project.planned_changes().await, ["imageshare_vault.v create"]);
    project.apply().await;
    // Something already gone is destroyed without a word.
    assert_eq!(send(&api, "DELETE", None).await, 204);
    project.run(&["destroy", "-auto-approve", "-no-color", "-refresh=false"]).await.expect_success();
}

#[tokio::test]
async fn imported_vault_equals_the_created_one() {
    let Some((_api, project)) = world().await else { return };
    project.write(VAULT);
    project.apply().await;
    let created = project.state("imageshare_vault.v").await;
    project.forget_state();
    project.import("imageshare_vault.v", "vault-1").await.expect_success();
    assert_eq!(project.state("imageshare_vault.v").await, created);
    project.expect_no_changes().await;

    project.forget_state();
    let missing = project.import("imageshare_vault.v", "vault-2").await;
    missing.expect_error(&["does not exist", "imageshare_vault with vault-2"]);
    project.import("imageshare_vault.v", "").await.expect_error(&["import"]);
}

#[tokio::test]
async fn wrong_argument_is_refused_where_it_stands() {
    let Some((_api, project)) = world().await else { return };
    project.write(&VAULT.replace("= 100", "= 1.5\n  status = \"lost\""));
    let ended = project.run(&["validate", "-no-color"]).await;
    ended.expect_error(&[
        "Invalid value for capacity_gib",
        "on main.tf line 9",
        "Expected a whole number from 1 to 10485760, found 1.5.",
        "Invalid value for status",
        "Expected one of available, lock, frozen, deleting, error, found \"lost\".",
    ]);
}

#[tokio::test]
async fn missing_setting_is_named_with_its_variable() {
    let Some(project) = Project::new(Release::Installed).await else { return };
    project.write(&format!("provider \"imageshare\" {{\n  endpoint = \"http://127.0.0.1:9\"\n}}\n{VAULT}"));
    let ended = project.env("IMAGESHARE_TOKEN", "").run(&["plan", "-no-color"]).await;
    ended.expect_error(&["Missing token", "IMAGESHARE_TOKEN"]);
}
