//! Requests to Alibaba's actions, in query and form; `tests/src/fuzz/facades.rs` has the assertions.
#![no_main]

imageshare_fuzz::feed!(facades::alibaba);
