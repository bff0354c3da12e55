//! Requests to Alibaba's actions, in query and form: what is asserted of them stands in `tests/src/fuzz/facades.rs`.
#![no_main]

imageshare_fuzz::feed!(facades::alibaba);
