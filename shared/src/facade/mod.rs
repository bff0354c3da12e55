//! The API dialects. A facade translates a request into the input of a use case and the result into a response. It
//! decides nothing.

pub mod alibaba;
pub mod glance;
pub mod identity;
pub mod ims;
pub mod memberships;
pub mod messages;
pub mod registry;
pub mod share_rules;

use crate::http::{ApiError, HttpResponse, RejectedRequest};

/// Responds to a rejected request in the format of the facade that its route belongs to, and logs it.
///
/// Alibaba's actions have [`alibaba::reject`] instead: their format depends on parameters that have to be parsed first.
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
