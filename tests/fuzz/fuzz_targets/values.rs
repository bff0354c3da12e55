//! Terraform's values in MessagePack and JSON, and their types; `tests/src/fuzz/values.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(values::run);
