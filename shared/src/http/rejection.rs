//! Requests that are rejected before their operation. `function` decides why, and the facade of the route renders the
//! error.

use std::ops::Deref;

use super::HttpResponse;
use super::body_limit::BodyTooLarge;
use super::request::{AuthenticatedRequest, IncomingRequest};
use super::unready::Unready;
use crate::auth::AuthError;
use crate::domain::Caller;
use crate::usecases::UseCaseError;

/// Why a request was rejected before its operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejectionReason {
    /// The function cannot handle requests.
    #[error(transparent)]
    Unready(#[from] Unready),
    /// The body is larger than the operation allows.
    #[error(transparent)]
    BodyTooLarge(#[from] BodyTooLarge),
    /// The credential is missing or invalid, or cannot be checked now.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The caller's tenant has exceeded its read rate.
    #[error(transparent)]
    UseCase(#[from] UseCaseError),
}

/// A rejected request, with the reason. Derefs to the [`IncomingRequest`].
#[derive(Debug)]
pub struct RejectedRequest {
    request: IncomingRequest,
    /// The caller, for the log, if the request was rejected after authentication.
    caller: Option<Caller>,
    reason: RejectionReason,
}

impl RejectedRequest {
    /// Rejects a request before authentication.
    pub(crate) fn new(request: IncomingRequest, reason: impl Into<RejectionReason>) -> Self {
        Self { request, caller: None, reason: reason.into() }
    }

    /// Rejects a request after authentication.
    pub(crate) fn authenticated(request: AuthenticatedRequest, reason: impl Into<RejectionReason>) -> Self {
        let (request, caller) = request.into_parts();
        Self { request, caller: Some(caller), reason: reason.into() }
    }

    /// The reason, for the facade to render.
    pub fn reason(&self) -> &RejectionReason {
        &self.reason
    }

    /// Adds the request's id to the facade's response, and logs the request.
    pub fn finish(self, response: HttpResponse) -> HttpResponse {
        self.request.finish_for(response, self.caller.as_ref())
    }
}

impl Deref for RejectedRequest {
    type Target = IncomingRequest;

    fn deref(&self) -> &IncomingRequest {
        &self.request
    }
}
