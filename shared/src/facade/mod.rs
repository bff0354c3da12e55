//! The API dialects. A facade translates: a request into a use case's words, and the answer back; it decides
//! nothing.

pub mod alibaba;
pub mod glance;
pub mod identity;
pub mod ims;
pub mod registry;

use crate::http::{ApiError, HttpResponse, RejectedRequest};

/// Answers a rejected request in the words of the facade that its route belongs to, and logs it.
///
/// Alibaba's actions are not among them: their form depends on parameters that have to be read first
/// ([`alibaba::reject`]).
pub fn reject(rejected: RejectedRequest) -> HttpResponse {
    let path = rejected.route().split_once(' ').map_or("", |(_, path)| path);
    let reason = rejected.reason().clone();
    let response = if path.starts_with("/v2/images") || path.starts_with("/v2/schemas") {
        glance::Error::from(reason).into_response()
    } else {
        ApiError::from(reason).into_response()
    };
    rejected.finish(response)
}
