//! A real Terraform with this workspace's own provider, in a folder of the test.
//!
//! ```no_run
//! # use imageshare_tests::terraform::{Project, Release};
//! # async fn example(url: &str, token: &str) {
//! let Some(project) = Project::new(Release::Installed).await else { return };
//! let project = project.env("IMAGESHARE_ENDPOINT", url).env("IMAGESHARE_TOKEN", token);
//! project.write(r#"resource "imageshare_vault" "v" { … }"#);
//! project.apply().await;
//! project.expect_no_changes().await;
//! assert_eq!(project.state("imageshare_vault.v").await["capacity_gib"], 100);
//! project.destroy().await;
//! # }
//! ```
//!
//! Nothing is downloaded: Terraform takes the provider from the target directory, and is told of no other place. Where there is no
//! Terraform, a test says so and passes; in CI it fails.

mod ended;
mod project;

pub use ended::Ended;
pub use project::{Project, Release};
