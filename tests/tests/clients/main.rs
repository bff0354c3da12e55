//! Real clients, unmodified, in a Python of their own, against a running `imageshare serve`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod journeys;
mod schemathesis;
