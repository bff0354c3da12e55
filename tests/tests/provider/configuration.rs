//! The provider's own configuration: what is missing or refused is shown where it is.

use imageshare_tests::terraform::{Project, Release};
use serde_json::json;

use crate::world::World;

const QUOTA: &str = "data \"imageshare_quota\" \"q\" {}\n";

async fn plan(project: &Project, arguments: &str) -> imageshare_tests::terraform::Ended {
    project.write(&format!("provider \"imageshare\" {{\n{arguments}}}\n{QUOTA}"));
    project.run(&["plan", "-no-color"]).await
}

async fn bare() -> Option<Project> {
    let project = Project::new(Release::Installed).await?;
    let home = project.path().to_string_lossy().into_owned();
    Some(project.env("HOME", home.clone()).env("XDG_CONFIG_HOME", home))
}

#[tokio::test]
async fn missing_or_refused_argument_is_named() {
    for (arguments, texts) in [
        ("", ["Missing endpoint", "IMAGESHARE_ENDPOINT"]),
        ("  endpoint = \"https://images.example\"\n", ["Missing token", "IMAGESHARE_ACCESS_KEY_ID"]),
        (
            "  endpoint = \"http://images.example\"\n  token = \"t\"\n",
            ["Invalid endpoint", "over https:// only"],
        ),
        (
            "  endpoint = \"https://images.example\"\n  access_key_id = \"a\"\n",
            ["Missing secret_access_key", "needs its secret"],
        ),
        (
            "  endpoint = \"http://127.0.0.1:9\"\n  token = \"t\"\n  max_retries = 0\n",
            ["The service cannot be reached", "127.0.0.1:9"],
        ),
        (
            "  endpoint = \"https://images.example\"\n  profile = \"p\"\n",
            ["Invalid profile", "there is no credentials file"],
        ),
    ] {
        let Some(project) = bare().await else { return };
        plan(&project, arguments).await.expect_error(&texts);
    }
}

#[tokio::test]
async fn refused_credential_is_shown_at_its_argument() {
    let Some(world) = World::new().await else { return };
    let endpoint = format!("http://{}", world.api.address());
    let token = world.api.token("own1", imageshare::domain::Role::Member);
    for (arguments, texts) in [
        ("  token = \"hush\"\n".to_owned(), ["The credential is not accepted", "token = \"hush\""]),
        (
            "  access_key_id = \"a\"\n  secret_access_key = \"hush\"\n".to_owned(),
            ["The credential is not accepted", "access_key_id = \"a\""],
        ),
        (
            format!("  token = {token:?}\n  project_id = \"mem1\"\n"),
            ["acts for project own1 alone", "project_id = \"mem1\""],
        ),
    ] {
        let Some(project) = bare().await else { return };
        let ended = plan(&project, &format!("  endpoint = {endpoint:?}\n{arguments}")).await;
        ended.expect_error(&texts);
    }
}

#[tokio::test]
async fn access_key_of_a_profile_is_enough() {
    use std::os::unix::fs::PermissionsExt;
    let Some(world) = World::new().await else { return };
    let Some(project) = bare().await else { return };
    let key = world.send("own1", "POST", "/v1/access-keys", Some(json!({"name": "tf"}))).await.body;
    let text = format!(
        "[default]\nendpoint = \"http://{}\"\naccess_key_id = {}\nsecret_access_key = {}\n",
        world.api.address(),
        key["id"],
        key["secret"]
    );
    let folder = project.path().join("imageshare");
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("credentials.toml");
    std::fs::write(&file, text).expect("a file");
    plan(&project, "").await.expect_error(&["Invalid profile", "others can read it"]);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    plan(&project, "").await.expect_success();
    plan(&project, "  profile = \"other\"\n")
        .await
        .expect_error(&["there is no profile other: expected one of default"]);
}
