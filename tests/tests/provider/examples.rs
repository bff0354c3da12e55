//! The examples of the provider's pages, `infra/provider/examples`: each is valid on its own, and the one with two accounts is applied.
//! The one with the module for AWS is not: it would need the emulator's address in its place.

use std::fs;
use std::path::{Path, PathBuf};

use imageshare_tests::aws::{Terraform, available};
use imageshare_tests::binaries::provider_binary;
use imageshare_tests::terraform::{Project, Release};
use serde_json::json;

use crate::world::{OWNER, RECIPIENT, World};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/provider/examples")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The examples of a kind, each in a folder with the name of what it shows.
fn of_kind(kind: &str, file: &str) -> Vec<(String, String)> {
    let entries =
        fs::read_dir(examples().join(kind)).expect("a folder").map(|entry| entry.expect("an entry"));
    let examples = entries.map(|entry| {
        let path = entry.path().join(file);
        (format!("{kind}/{}", entry.file_name().display()), read(&path))
    });
    let mut examples: Vec<_> = examples.collect();
    examples.sort();
    assert!(!examples.is_empty(), "{kind}");
    examples
}

/// A project with the block that requires the provider, as in the example for that.
async fn project(release: Release) -> Option<Project> {
    let project = Project::new(release).await?;
    project.write_file("main.tf", &read(&examples().join("provider/provider.tf")));
    Some(project)
}

#[tokio::test]
async fn examples_are_valid_each_on_its_own() {
    let Some(project) = project(Release::Installed).await else { return };
    for (kind, file) in [
        ("resources", "resource.tf"),
        ("data-sources", "data-source.tf"),
        ("ephemeral-resources", "ephemeral-resource.tf"),
        ("functions", "function.tf"),
    ] {
        for (name, text) in of_kind(kind, file) {
            project.write_file("example.tf", &text);
            let ended = project.run(&["validate", "-no-color"]).await;
            assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
        }
    }
}

#[tokio::test]
async fn list_examples_are_valid() {
    let Some(project) = project(Release::Newest).await else { return };
    for (name, text) in of_kind("list-resources", "list-resource.tfquery.hcl") {
        project.write_file("example.tfquery.hcl", &text);
        let ended = project.run(&["validate", "-query", "-no-color"]).await;
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
    }
}

#[tokio::test]
async fn example_with_the_aws_module_is_valid() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let binary = tokio::task::spawn_blocking(|| provider_binary("imageshare")).await.expect("no panic");
    let example = "infra/provider/examples/share-rule-on-aws";
    let Some(example) = available(Terraform::init_with_provider(&workspace, example, &binary).await) else {
        return;
    };
    example.run(&["validate", "-no-color"]).await;
}

#[tokio::test]
async fn examples_are_formatted() {
    let Some(project) = Project::new(Release::Installed).await else { return };
    let folder = examples();
    let folder = folder.to_str().expect("a text");
    project.run(&["fmt", "-check", "-diff", "-recursive", folder]).await.expect_success();
}

#[tokio::test]
async fn import_commands_name_their_resource_and_example() {
    for (name, command) in of_kind("resources", "import.sh") {
        let resource = name.trim_start_matches("resources/");
        let text = read(&examples().join(&name).join("resource.tf"));
        let mut lines = command.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).peekable();
        assert!(lines.peek().is_some(), "{name}");
        for line in lines {
            let address = line.strip_prefix("terraform import ").and_then(|rest| rest.split(' ').next());
            let (kind, label) = address.and_then(|address| address.split_once('.')).expect("an address");
            let declared = format!("resource \"{kind}\" \"{label}\"");
            assert!(kind == resource && text.contains(&declared), "{name}: {line}");
        }
    }
}

#[tokio::test]
async fn two_accounts_share_and_accept_in_one_apply() {
    let Some(World { api, project }) = World::new().await else { return };
    let token = |project| api.token(project, imageshare::domain::Role::Member);
    let (owner, recipient) = (token(OWNER), token(RECIPIENT));
    let project = project
        .env("TF_VAR_owner_token", owner)
        .env("TF_VAR_recipient_token", recipient)
        .env("TF_VAR_recipient_project_id", RECIPIENT);
    let world = World { api, project };
    world.project.write_file("main.tf", &read(&examples().join("two-accounts/main.tf")));
    world.project.apply().await;
    let image = world.project.output("image_id").await;
    let image = image.as_str().expect("an id");
    assert_eq!(world.members(image).await, [format!("{RECIPIENT} accepted")]);
    // The share shows the decision from the next refresh on: then nothing but outputs has changed.
    world.project.run(&["apply", "-refresh-only", "-auto-approve", "-no-color"]).await.expect_success();
    assert_eq!(world.project.output("members").await, json!({ format!("{image}/{RECIPIENT}"): "accepted" }));
    world.project.expect_no_changes().await;
    world.project.destroy().await;
    world.send(OWNER, "GET", &format!("/v2/images/{image}"), None).await.expect_status(404);
}
