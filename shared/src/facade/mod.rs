//! The API dialects. A facade translates: a request into a use case's words, and the answer back; it decides
//! nothing.

pub mod alibaba;
#[cfg(test)]
mod any_json;
mod field_value;
#[cfg(test)]
mod fixtures;
pub mod glance;
pub mod health;
mod idempotency;
pub mod identity;
pub mod ims;
pub mod marker;
mod page;
pub mod query;
pub mod registry;
mod response;
mod server_error;
pub mod strict_json;
mod time_filter;
mod vault_id;

pub use self::response::{
    ErrorInfo, HttpResponse, error_response, json_response, no_content, with_auth_challenge,
};

/// What a GET or a DELETE is told that came with a body, which these operations would not look at.
const UNEXPECTED_BODY: &str = "A body is not expected with this request.";
