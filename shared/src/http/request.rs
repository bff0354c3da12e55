//! The two states of a request in a function: incoming, and authenticated once its caller is known.

use std::ops::Deref;
use std::sync::OnceLock;

use http::HeaderMap;
use http::header::HeaderValue;
use lambda_http::{Body, Request, RequestExt};

use super::base_url::base_url;
use super::cookies::SESSION_COOKIE;
use super::read_limiter::{ReadCharge, ReadLimiter};
use super::trace::RequestTrace;
use super::unready::Unready;
use super::{HttpResponse, with_auth_challenge};
use crate::App;
use crate::auth::Keyring;
use crate::auth::signature::SignedRequest;
use crate::domain::Caller;
use crate::usecases::UseCaseError;

/// A request before authentication.
#[derive(Debug)]
pub struct IncomingRequest {
    /// The app of the function, with a store that meters this request alone.
    pub app: App,
    request: Request,
    trace: RequestTrace,
}

/// A request whose caller is known. Derefs to the [`IncomingRequest`].
#[derive(Debug)]
pub struct AuthenticatedRequest {
    /// The access keys of the deployment.
    pub keyring: Keyring,
    incoming: IncomingRequest,
    caller: Caller,
    read_limiter: ReadLimiter,
    /// Charges the tenant when it is dropped, however the request ends.
    read_charge: OnceLock<ReadCharge>,
}

/// A request has a body that its operation would ignore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A body is not expected with this request.")]
pub struct UnexpectedBody;

impl IncomingRequest {
    /// Receives a request, and starts measuring its duration. The store of `app` meters its use of the table.
    pub(crate) fn new(app: App, request: Request) -> Self {
        let trace = RequestTrace::start(&request);
        Self { app, request, trace }
    }

    /// The request's id, which the client gets and the log has.
    pub fn request_id(&self) -> &str {
        &self.trace.request_id
    }

    /// The gateway's route key, as `GET /v1/cloudimages/quota`.
    pub fn route(&self) -> &str {
        &self.trace.route
    }

    /// The URL at which clients reach the service, without a slash at the end.
    pub fn base_url(&self) -> String {
        base_url(&self.app.settings, &self.request)
    }

    /// The token in the cookie of a session, if there is one. Whether it is valid remains to be checked.
    pub fn session_token(&self) -> Option<&str> {
        SESSION_COOKIE.value(self.headers(), &self.base_url())
    }

    /// The HTTP method.
    pub fn method(&self) -> &str {
        self.request.method().as_str()
    }

    /// The path of the URL, as the gateway passes it on.
    pub fn path(&self) -> &str {
        self.request.raw_http_path()
    }

    /// A path parameter, percent-decoded; empty if the route has none of this name.
    pub fn path_parameter(&self, name: &str) -> &str {
        self.request.path_parameters_ref().and_then(|parameters| parameters.first(name)).unwrap_or_default()
    }

    /// The raw query of the URL, without the question mark.
    pub fn raw_query(&self) -> &str {
        self.request.uri().query().unwrap_or_default()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The raw value of a header; the first if there are several.
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        self.headers().get(name).map(HeaderValue::as_bytes)
    }

    /// The bytes of the body; empty without a body.
    pub fn body(&self) -> &[u8] {
        match self.request.body() {
            Body::Text(text) => text.as_bytes(),
            Body::Binary(bytes) => bytes,
            _ => &[],
        }
    }

    /// Checks that there is no body, for an operation that takes none.
    ///
    /// # Errors
    /// [`UnexpectedBody`] if there is one, even of whitespace: its client believes that it has an effect.
    pub fn ensure_no_body(&self) -> Result<(), UnexpectedBody> {
        if self.body().is_empty() { Ok(()) } else { Err(UnexpectedBody) }
    }

    /// Why the function cannot handle the request, if so.
    pub(crate) fn unready(&self) -> Option<&Unready> {
        self.request.extensions().get()
    }

    /// The gateway's event.
    pub(crate) fn as_event(&self) -> &Request {
        &self.request
    }

    /// The parts of the request that a signature covers.
    pub(crate) fn as_signed(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: self.method(),
            path: self.path(),
            query: self.raw_query(),
            headers: self.headers(),
            body: self.body(),
        }
    }

    /// Records the action that the request names in an RPC dialect, for the log.
    pub fn record_action(&self, name: &str) {
        self.trace.record_action(name);
    }

    /// Records the access key that the request claims, for the log. Ignores a text that is not the id of an access
    /// key, since a client may have sent its secret instead.
    pub fn record_access_key(&self, claimed: &str) {
        self.trace.record_access_key(claimed);
    }

    /// Adds the request's id to the response, and logs the request without a caller.
    pub fn finish(self, response: HttpResponse) -> HttpResponse {
        self.finish_for(response, None)
    }

    pub(crate) fn finish_for(self, response: HttpResponse, caller: Option<&Caller>) -> HttpResponse {
        let response = with_auth_challenge(response, &self.base_url());
        self.trace.finish(response, caller, self.app.store.usage())
    }
}

impl AuthenticatedRequest {
    /// Adds the caller to a request. From then on, the table schedules its calls under the caller's tenant.
    pub(crate) fn new(
        mut incoming: IncomingRequest,
        caller: Caller,
        keyring: Keyring,
        read_limiter: ReadLimiter,
    ) -> Self {
        incoming.app.store = incoming.app.store.for_tenant(&caller.tenant);
        Self { keyring, incoming, caller, read_limiter, read_charge: OnceLock::new() }
    }

    /// The caller: the project that the credential acts for, and its role there.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Checks the read rate of the caller's tenant, and charges it with the reads of this request when it ends. Costs
    /// no read.
    ///
    /// # Errors
    /// [`UseCaseError::TooManyRequests`], with the time to wait, if the tenant has exceeded its read rate.
    pub fn check_read_rate(&self) -> Result<(), UseCaseError> {
        let rate = self.app.settings.limits.read_rate();
        let charge = self.read_limiter.start_read(&self.caller.tenant, rate, &self.app.store)?;
        self.read_charge.get_or_init(|| charge);
        Ok(())
    }

    /// Adds the request's id to the response, and logs the request.
    pub fn finish(self, response: HttpResponse) -> HttpResponse {
        self.incoming.finish_for(response, Some(&self.caller))
    }

    /// Splits off the caller. The reads of the request so far are charged to its tenant.
    pub(crate) fn into_parts(self) -> (IncomingRequest, Caller) {
        (self.incoming, self.caller)
    }
}

impl Deref for AuthenticatedRequest {
    type Target = IncomingRequest;

    fn deref(&self) -> &IncomingRequest {
        &self.incoming
    }
}
