//! Real clients, unmodified, in a Python of their own, against a running `imageshare serve`.

mod journeys;
mod schemathesis;
