//! Real clients, unmodified, in their own Python environment, against a running `imageshare serve`.

mod journeys;
mod openid;
mod schemathesis;
