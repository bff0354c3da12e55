//! A request that does not get as far as its operation. `function` says why, and the facade of the route words it.

use std::ops::Deref;

use super::HttpResponse;
use super::body_limit::BodyTooLarge;
use super::request::{AuthenticatedRequest, IncomingRequest};
use crate::auth::AuthError;
use crate::domain::Caller;
use crate::usecases::UseCaseError;

/// Why a request was rejected before its operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejectionReason {
    /// The body is larger than the operation takes.
    #[error(transparent)]
    BodyTooLarge(#[from] BodyTooLarge),
    /// The credential is missing, not valid, or cannot be checked.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The caller's tenant has to wait before it reads more.
    #[error(transparent)]
    UseCase(#[from] UseCaseError),
}

/// A rejected request. It derefs to the request as it came in.
#[derive(Debug)]
pub struct RejectedRequest {
    request: IncomingRequest,
    /// For the log, where the request was rejected after its caller was known.
    caller: Option<Caller>,
    reason: RejectionReason,
}

impl RejectedRequest {
    /// A request that was rejected before its caller was known.
    pub(crate) fn new(request: IncomingRequest, reason: impl Into<RejectionReason>) -> Self {
        Self { request, caller: None, reason: reason.into() }
    }

    /// A request that was rejected although its caller is known.
    pub(crate) fn authenticated(request: AuthenticatedRequest, reason: impl Into<RejectionReason>) -> Self {
        let (request, caller) = request.into_parts();
        Self { request, caller: Some(caller), reason: reason.into() }
    }

    /// Why the request was rejected.
    pub fn reason(&self) -> &RejectionReason {
        &self.reason
    }

    /// Puts the request's id on the response in which a facade has worded the reason, and logs the request.
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
