//! The service on a table whose transactions conflict as DynamoDB's do: how much it wastes, and that it gives nothing
//! up.
//!
//! Every test runs on tokio's paused clock and from one seed, so it makes the same calls in the same order each time.
//! It prints what it used.

mod concurrency;
mod jobs;
mod random_jobs;
mod table;
mod world;
