//! The Terraform provider: the real `terraform` with the binary `terraform-provider-imageshare`, against a running server. Where there
//! is no Terraform, these tests print a notice and pass; in CI they fail.
//!
//! What concerns the protocol and not the service is tested with `terraform-provider-sample`, whose service is a directory.

mod acceptance;
mod calls;
mod configuration;
mod data;
mod examples;
mod identity;
mod image;
mod interrupts;
mod language;
mod moved;
mod network;
mod newest;
mod process;
mod recorded;
mod sample;
mod share;
mod small;
mod unfinished;
mod vault;
mod world;
