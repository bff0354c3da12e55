//! HTTP without a dialect: requests as the gateway hands them over, responses, and what both are made of.
//!
//! [`IncomingRequest`] and [`AuthenticatedRequest`] are what a facade reads, [`HttpResponse`] what it returns. The rest is
//! shared by facades whose formats agree: queries, strict JSON, pages of lists and their markers, idempotency keys.

#[cfg(test)]
pub(crate) mod any_json;
mod base_url;
mod field_value;
#[cfg(test)]
pub(crate) mod fixtures;
mod gateway;
pub(crate) mod idempotency;
mod marker;
pub(crate) mod page;
pub mod query;
mod read_limiter;
mod request;
pub(crate) mod response;
pub(crate) mod server_error;
pub mod strict_json;
pub(crate) mod time_filter;
mod trace;
pub(crate) mod vault_id;

pub use self::base_url::{BadPublicUrl, base_url, parse_public_url};
pub(crate) use self::field_value::FieldValue;
pub use self::gateway::route_key;
pub(crate) use self::gateway::{gateway_request_id, request_id_or_new};
pub use self::marker::Listing;
pub(crate) use self::page::PageInfo;
pub(crate) use self::read_limiter::ReadLimiter;
pub use self::request::{AuthenticatedRequest, IncomingRequest};
pub use self::response::{
    ErrorInfo, HttpResponse, error_response, json_response, no_content, with_auth_challenge,
};
pub(crate) use self::trace::RequestTrace;
pub use self::trace::redact_path;

/// The message for a GET or a DELETE with a body, which these operations would not look at.
pub(crate) const UNEXPECTED_BODY: &str = "A body is not expected with this request.";
