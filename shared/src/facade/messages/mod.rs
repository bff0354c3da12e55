//! The messages of the caller's project: what other tenants have shared with it, withdrawn from it, accepted or
//! rejected (seed 001). In the style of IMS; errors are those of IMS.
//!
//! One operation, one file, in one order: route, handler, wire types, tests. A message leads to the list where its
//! tenant can decide, by a GET; no link decides.

mod error;
pub mod list;
pub mod mark;
pub mod mark_all;
pub mod show;
mod view;

use crate::domain::MessageId;
use crate::http::{ApiError, AuthenticatedRequest};
use crate::usecases::MessageError;

/// The message of the path. Any other text is the id of no message.
fn path_message(request: &AuthenticatedRequest) -> Result<MessageId, ApiError> {
    request.path_parameter("message_id").parse().map_err(|_| MessageError::NotFound.into())
}
