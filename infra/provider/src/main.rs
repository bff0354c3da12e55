//! The Terraform provider `imageshare`, started by Terraform.

use std::process::ExitCode;

use imageshare_provider::{Imageshare, run};

fn main() -> ExitCode {
    run(Imageshare)
}
