//! A request on its way through a function: first as it came in, then, once its caller is known, authenticated.

use std::ops::Deref;
use std::sync::OnceLock;

use http::HeaderMap;
use http::header::HeaderValue;
use lambda_http::{Body, Request, RequestExt};

use super::base_url::base_url;
use super::read_limiter::{ReadCharge, ReadLimiter};
use super::trace::RequestTrace;
use super::{HttpResponse, with_auth_challenge};
use crate::App;
use crate::auth::Keyring;
use crate::auth::signature::SignedRequest;
use crate::domain::Caller;
use crate::usecases::UseCaseError;

/// A request as it came in: its caller is not known yet.
#[derive(Debug)]
pub struct IncomingRequest {
    /// The table and the settings. What this request uses of the table is counted apart.
    pub app: App,
    request: Request,
    trace: RequestTrace,
}

/// A request whose caller is known. It holds the request as it came in, and derefs to it.
#[derive(Debug)]
pub struct AuthenticatedRequest {
    /// The access keys of the deployment.
    pub keyring: Keyring,
    incoming: IncomingRequest,
    caller: Caller,
    read_limiter: ReadLimiter,
    /// Charges the tenant when the request ends, however it ends.
    read_charge: OnceLock<ReadCharge>,
}

/// A GET or a DELETE came with a body, which its operation would not look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("A body is not expected with this request.")]
pub struct UnexpectedBody;

impl IncomingRequest {
    /// Takes a request in: from now on its time is measured, and its use of the app's table is counted.
    pub(crate) fn new(app: App, request: Request) -> Self {
        let trace = RequestTrace::start(&request);
        Self { app, request, trace }
    }

    /// The id by which the request is known to the client and in the log.
    pub fn request_id(&self) -> &str {
        &self.trace.request_id
    }

    /// The gateway's route key, as `GET /v1/cloudimages/quota`.
    pub fn route(&self) -> &str {
        &self.trace.route
    }

    /// Where the client reaches the service, without a slash at the end.
    pub fn base_url(&self) -> String {
        base_url(&self.app.settings, &self.request)
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.request.method().as_str()
    }

    /// A parameter of the path, percent-decoded; empty where the route has none of that name.
    pub fn path_parameter(&self, name: &str) -> &str {
        self.request.path_parameters_ref().and_then(|parameters| parameters.first(name)).unwrap_or_default()
    }

    /// The query as it stands in the URL, without the question mark.
    pub fn raw_query(&self) -> &str {
        self.request.uri().query().unwrap_or_default()
    }

    /// The headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// A header's value as it came.
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        self.headers().get(name).map(HeaderValue::as_bytes)
    }

    /// The bytes of the body.
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
    /// [`UnexpectedBody`] where there is one, even of blanks: its client believes that it counts.
    pub fn ensure_no_body(&self) -> Result<(), UnexpectedBody> {
        if self.body().is_empty() { Ok(()) } else { Err(UnexpectedBody) }
    }

    /// The request as the gateway's event has it.
    pub(crate) fn as_event(&self) -> &Request {
        &self.request
    }

    /// The request as a signature covers it.
    pub(crate) fn as_signed(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: self.method(),
            path: self.request.raw_http_path(),
            query: self.raw_query(),
            headers: self.headers(),
            body: self.body(),
        }
    }

    /// Records for the log which action of an RPC dialect the request names.
    pub fn record_action(&self, name: &str) {
        self.trace.record_action(name);
    }

    /// Records for the log which access key the request claims to be made with. An id that cannot be one of this service is
    /// left out.
    pub fn record_access_key(&self, claimed: &str) {
        self.trace.record_access_key(claimed);
    }

    /// Puts the request's id on the response to a request without a caller, and logs the request.
    pub fn finish(self, response: HttpResponse) -> HttpResponse {
        self.finish_for(response, None)
    }

    pub(crate) fn finish_for(self, response: HttpResponse, caller: Option<&Caller>) -> HttpResponse {
        let response = with_auth_challenge(response, &self.base_url());
        self.trace.finish(response, caller, self.app.store.usage())
    }
}

impl AuthenticatedRequest {
    /// The request of that caller, whose use of the table counts for its tenant from now on.
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

    /// Lets the request read, unless its tenant has read too much lately. The reads are charged to the tenant when the
    /// request ends. Costs no read.
    ///
    /// # Errors
    /// [`UseCaseError::TooManyRequests`] says how long the tenant has to wait.
    pub fn check_read_rate(&self) -> Result<(), UseCaseError> {
        let rate = self.app.settings.limits.read_rate();
        let charge = self.read_limiter.start_read(&self.caller.tenant, rate, &self.app.store)?;
        self.read_charge.get_or_init(|| charge);
        Ok(())
    }

    /// Puts the request's id on the response and logs the request.
    pub fn finish(self, response: HttpResponse) -> HttpResponse {
        self.incoming.finish_for(response, Some(&self.caller))
    }

    /// The request as it came in, and its caller. Its reads are charged to the tenant now.
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
