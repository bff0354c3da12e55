//! The module's own tests, which only make plans, and its examples.

use imageshare_tests::aws::{Terraform, available};

use super::workspace;

#[tokio::test]
async fn module_is_valid_and_passes_its_own_tests() {
    let Some(module) = available(Terraform::init(workspace(), "infra/aws", Vec::new()).await) else { return };
    module.run(&["fmt", "-check", "-recursive"]).await;
    module.run(&["validate", "-no-color"]).await;
    module.run(&["test", "-no-color"]).await;
}

#[tokio::test]
async fn examples_are_valid() {
    for example in ["infra/aws/examples/minimal", "infra/aws/examples/complete"] {
        let Some(example) = available(Terraform::init(workspace(), example, Vec::new()).await) else {
            return;
        };
        example.run(&["validate", "-no-color"]).await;
    }
}
