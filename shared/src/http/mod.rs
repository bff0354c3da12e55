//! HTTP independent of a dialect: requests as the gateway passes them, responses, and their parts.
//!
//! A facade reads an [`IncomingRequest`] or an [`AuthenticatedRequest`], and returns an [`HttpResponse`]. The rest is
//! for facades whose formats agree: errors ([`ApiError`]), query parameters, strict JSON, pages and markers,
//! idempotency keys.

#[cfg(test)]
pub(crate) mod any_json;
mod base_url;
mod body_limit;
mod browser;
mod cookies;
pub(crate) mod entity_tag;
mod error;
mod error_table;
mod field_value;
#[cfg(test)]
pub(crate) mod fixtures;
mod gateway;
pub mod health;
pub(crate) mod id_array;
pub(crate) mod idempotency;
mod marker;
pub(crate) mod object_body;
pub(crate) mod page;
mod parameters;
pub mod query;
mod read_limiter;
mod rejection;
mod request;
pub(crate) mod response;
pub(crate) mod server_error;
pub mod strict_json;
pub(crate) mod time_filter;
mod trace;
mod unready;
pub(crate) mod vault_id;

pub use self::base_url::{BadPublicUrl, base_url, parse_public_url};
pub(crate) use self::body_limit::check_body_size;
pub use self::body_limit::{BodyTooLarge, DEFAULT_BODY_LIMIT, body_limit, effective_body_limit};
pub use self::browser::{prefers_html, redirect_to_console};
pub use self::cookies::{CookieName, SESSION_COOKIE};
pub use self::error::ApiError;
pub(crate) use self::error_table::{stale, still_shared, unresolved_names, wrong_project};
pub(crate) use self::field_value::FieldValue;
pub(crate) use self::gateway::gateway_request_id;
pub use self::gateway::route_key;
pub use self::marker::Listing;
pub(crate) use self::page::{PageBody, PageInfo};
pub(crate) use self::parameters::{MAX_BATCH_PAGE_SIZE, Query, invalid_parameter, parse_wait};
pub(crate) use self::read_limiter::ReadLimiter;
pub use self::rejection::{RejectedRequest, RejectionReason};
pub use self::request::{AuthenticatedRequest, IncomingRequest, UnexpectedBody};
pub use self::response::{
    ErrorInfo, HttpResponse, error_response, json_response, no_content, with_auth_challenge,
};
pub use self::trace::{METRICS_TARGET, redact_path};
pub use self::unready::Unready;
