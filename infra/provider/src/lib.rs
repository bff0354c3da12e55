//! The Terraform provider `imageshare`.
//!
//! ```text
//! api           the client of the service: calls, retries, pages, jobs
//! credentials   where endpoint and credential come from: arguments, environment, the credentials file
//! ```
#![deny(missing_docs)]

pub mod api;
pub mod credentials;
