//! The API dialects. A facade translates: a request into a use case's words, and the answer back; it decides
//! nothing.

pub mod alibaba;
#[cfg(test)]
mod any_json;
#[cfg(test)]
mod example;
mod fault;
mod field;
pub mod glance;
mod idempotency;
pub mod identity;
pub mod ims;
pub mod marker;
mod page;
pub mod query;
pub mod registry;
mod reply;
pub mod strict_json;
mod time_filter;
mod vault;

pub use self::reply::{Problem, Reply, error, json, no_content, with_challenge};

/// What a GET or a DELETE is told that came with a body, which these operations would not look at.
const NO_BODY_EXPECTED: &str = "A body is not expected with this request.";
