//! The Terraform provider: the real `terraform` with the binary `terraform-provider-imageshare`, against a running server. Where there
//! is no Terraform, these tests print a notice and pass; in CI they fail.

mod acceptance;
mod configuration;
mod data;
mod image;
mod share;
mod small;
mod vault;
mod world;
