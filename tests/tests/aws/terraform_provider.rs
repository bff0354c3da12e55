//! This workspace's own Terraform provider, against the deployed service.

use imageshare_tests::terraform::{Project, Release};
use serde_json::json;

use super::client::token;

const CONFIGURATION: &str = r#"
variable "owner" { sensitive = true }
variable "recipient" { sensitive = true }
provider "imageshare" {
  token = var.owner
}
provider "imageshare" {
  alias = "recipient"
  token = var.recipient
}
resource "imageshare_image" "i" {
  count = 2
  name  = "golden-${count.index}"
}
resource "imageshare_share" "s" {
  image_ids   = imageshare_image.i[*].id
  project_ids = ["provider-recipient", "provider-guest"]
}
resource "imageshare_acceptance" "a" {
  provider   = imageshare.recipient
  image_id   = imageshare_image.i[0].id
  depends_on = [imageshare_share.s]
}
resource "imageshare_share_rule" "r" {
  name        = "nightly"
  pattern     = jsonencode({ name = [{ prefix = "nightly-" }] })
  project_ids = ["provider-recipient"]
}
"#;

/// Owner and recipient in one apply; then a plan that changes nothing, and the end.
pub(crate) async fn provider_applies_plans_and_destroys(url: &str) {
    let Some(project) = Project::new(Release::Installed).await else { return };
    let project = project
        .env("IMAGESHARE_ENDPOINT", url)
        .env("TF_VAR_owner", token("provider-owner", "member"))
        .env("TF_VAR_recipient", token("provider-recipient", "member"));
    project.write(CONFIGURATION);
    project.apply().await;
    project.expect_no_changes().await;
    project.run(&["apply", "-refresh-only", "-auto-approve", "-no-color"]).await.expect_success();
    let state = project.state("imageshare_share.s").await;
    let mut statuses: Vec<_> =
        state["members"].as_object().into_iter().flatten().map(|(_, status)| status).collect();
    statuses.sort_by_key(ToString::to_string);
    assert_eq!(statuses, [&json!("accepted"), &json!("pending"), &json!("pending"), &json!("pending")]);
    project.destroy().await;
}
