//! One request on its way through a function: received, then, if its caller is admitted, a call.

use std::sync::OnceLock;

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

/// A request of which nobody has looked yet who makes it.
#[derive(Debug)]
pub struct IncomingRequest {
    pub(crate) app: App,
    pub(crate) request: Request,
    pub(crate) trace: RequestTrace,
}

/// One request of one caller.
#[derive(Debug)]
pub struct AuthenticatedRequest {
    /// The table and the settings; what this call uses of the table is counted apart.
    pub app: App,
    /// The access keys of the deployment.
    pub keyring: Keyring,
    pub(crate) caller: Caller,
    pub(crate) request: Request,
    pub(crate) trace: RequestTrace,
    pub(crate) read_limiter: ReadLimiter,
    /// Charges the tenant when the call ends, however it ends.
    pub(crate) read_charge: OnceLock<ReadCharge>,
}

impl IncomingRequest {
    /// The id by which the request is known to the client and in the log.
    pub fn request_id(&self) -> &str {
        &self.trace.request_id
    }

    /// The table and the settings.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The gateway's route key, as `POST /`.
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

    /// The query as it stands in the URL, without the question mark.
    pub fn raw_query(&self) -> &str {
        raw_query(&self.request)
    }

    /// A header's value as it came.
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        raw_header(&self.request, name)
    }

    /// The bytes of the body.
    pub fn body(&self) -> &[u8] {
        body(&self.request)
    }

    /// The request as a signature covers it.
    pub(crate) fn as_signed(&self) -> SignedRequest<'_> {
        SignedRequest {
            method: self.method(),
            path: self.request.raw_http_path(),
            query: self.raw_query(),
            headers: self.request.headers(),
            body: self.body(),
        }
    }

    /// Tells the log which action of an RPC dialect the request names.
    pub fn record_action(&self, name: &str) {
        self.trace.record_action(name);
    }

    /// Tells the log which access key the request claims to be made with. An id that cannot be one of this service is left
    /// out.
    pub fn record_access_key(&self, claimed: &str) {
        self.trace.record_access_key(claimed);
    }

    /// Puts the request's id on an answer that nobody in particular gets, and logs the request.
    pub fn finish(self, reply: HttpResponse) -> HttpResponse {
        self.trace.finish(with_auth_challenge(reply, &self.base_url()), None, self.app.store.usage())
    }
}

impl AuthenticatedRequest {
    /// Where the client reaches the service, without a slash at the end.
    pub fn base_url(&self) -> String {
        base_url(&self.app.settings, &self.request)
    }

    /// Who makes the request.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The id by which the request is known to the client and in the log.
    pub fn request_id(&self) -> &str {
        &self.trace.request_id
    }

    /// The method.
    pub fn method(&self) -> &str {
        self.request.method().as_str()
    }

    /// The gateway's route key, as `GET /v1/cloudimages/quota`.
    pub fn route(&self) -> &str {
        &self.trace.route
    }

    /// A parameter of the path, percent-decoded; empty where the route has none of that name.
    pub fn path_parameter(&self, name: &str) -> &str {
        self.request.path_parameters_ref().and_then(|parameters| parameters.first(name)).unwrap_or_default()
    }

    /// The query as it stands in the URL, without the question mark.
    pub fn raw_query(&self) -> &str {
        raw_query(&self.request)
    }

    /// A header's value as it came.
    pub fn raw_header(&self, name: &str) -> Option<&[u8]> {
        raw_header(&self.request, name)
    }

    /// The bytes of the body.
    pub fn body(&self) -> &[u8] {
        body(&self.request)
    }

    /// Lets the call read what it wants to read, unless its tenant has read too much lately. What it reads is charged to
    /// the tenant when it ends. Costs no read.
    ///
    /// # Errors
    /// [`Refusal::TooManyRequests`] says how long the tenant has to wait.
    pub fn check_read_rate(&self) -> Result<(), UseCaseError> {
        let limits = &self.app.settings.limits;
        let reading =
            self.read_limiter.start_read(&self.caller.tenant, limits.read_rate(), &self.app.store)?;
        self.read_charge.get_or_init(|| reading);
        Ok(())
    }

    /// Puts the request's id on an answer and logs the request.
    pub fn finish(self, reply: HttpResponse) -> HttpResponse {
        let reply = with_auth_challenge(reply, &self.base_url());
        self.trace.finish(reply, Some(&self.caller), self.app.store.usage())
    }
}

fn raw_query(request: &Request) -> &str {
    request.uri().query().unwrap_or_default()
}

fn raw_header<'a>(request: &'a Request, name: &str) -> Option<&'a [u8]> {
    request.headers().get(name).map(HeaderValue::as_bytes)
}

fn body(request: &Request) -> &[u8] {
    match request.body() {
        Body::Text(text) => text.as_bytes(),
        Body::Binary(bytes) => bytes,
        _ => &[],
    }
}
