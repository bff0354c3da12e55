//! What the installed Terraform may be too old for: identities (1.12) and lists (1.14).

use imageshare_tests::terraform::{Project, Release};

use crate::sample::{Sample, thing};

#[tokio::test]
async fn newest_terraform_plans_and_applies() {
    let Some(sample) = Sample::new(Release::Newest).await else { return };
    sample.write_thing("text = \"a\"");
    sample.project.apply().await;
    sample.project.expect_no_changes().await;
    let stored = sample.project.stored_state();
    assert!(stored.contains("\"identity\""), "{stored}");
    sample.project.destroy().await;
}

#[tokio::test]
async fn resource_is_imported_by_its_identity() {
    let Some(sample) = Sample::new(Release::Newest).await else { return };
    sample.write_thing("");
    sample.project.apply().await;
    sample.project.forget_state();
    let import = "import {\n  to       = sample_thing.t\n  identity = { name = \"thing\" }\n}\n";
    sample.project.write(&format!("{}{import}", thing("")));
    sample.project.apply().await.expect_output(&["1 imported, 0 added, 0 changed, 0 destroyed"]);
    sample.project.expect_no_changes().await;
}

#[tokio::test]
async fn things_are_listed_and_their_configuration_generated() {
    let Some(sample) = Sample::new(Release::Newest).await else { return };
    for name in ["one", "two", "other"] {
        std::fs::write(sample.file(name), "1").unwrap();
    }
    sample.project.write("provider \"sample\" {}\n");
    let list = "list \"sample_thing\" \"all\" {\n  provider = sample\n  include_resource = true\n  config {\n    prefix = \"o\"\n  }\n}\n";
    sample.project.write_file("things.tfquery.hcl", list);
    let listed = sample.project.run(&["query", "-no-color"]).await.expect_success();
    listed.expect_output(&["the thing one", "the thing other"]);
    sample.project.run(&["query", "-no-color", "-generate-config-out=found.tf"]).await.expect_success();
    let plan = sample.project.run(&["plan", "-no-color"]).await.expect_success();
    plan.expect_output(&["2 to import, 0 to add, 0 to change, 0 to destroy"]);
}

#[tokio::test]
async fn provider_loads_in_the_newest_terraform() {
    let Some(project) = Project::new(Release::Newest).await else { return };
    let shown = project.run(&["providers", "schema", "-json"]).await.expect_success();
    assert!(shown.stdout.contains("imageshare_vault"), "{shown:?}");
}
