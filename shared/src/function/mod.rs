//! The part that all HTTP functions have in common: authenticate the caller, limit its reads, log the request.
//!
//! Requests are events of API Gateway (HTTP API, payload 2.0). The gateway finds the operation of a request and
//! passes its route key; the routes are defined in `infra/openapi.yaml` only.

mod deadline;
mod deployment;
mod environment;
mod logging;
mod metrics;
mod readiness;
mod run;
mod unconfigured;

use lambda_http::{Request, RequestExt};
use tracing::Instrument;

pub use self::deadline::{http_deadline, lambda_deadline};
pub use self::logging::init_logging;
pub use self::run::{Error, run, run_publisher, run_worker};
use crate::auth::{AuthError, Authenticator, signature};
use crate::domain::{Caller, Timestamp};
use crate::http::{
    ApiError, AuthenticatedRequest, HttpResponse, IncomingRequest, ReadLimiter, RejectedRequest, body_limit,
    check_body_size, gateway_request_id, route_key,
};
use crate::{App, Settings};

/// An HTTP function: the app, and the authenticator of its callers.
#[derive(Debug, Clone)]
pub struct HttpFunction {
    /// The table and the settings.
    pub app: App,
    /// Authenticates the callers of requests.
    pub authenticator: Authenticator,
    /// The recent reads of each tenant, shared with clones of this function.
    read_limiter: ReadLimiter,
}

impl HttpFunction {
    /// Creates a function from an app and an authenticator.
    pub fn new(app: App, authenticator: Authenticator) -> Self {
        Self { app, authenticator, read_limiter: ReadLimiter::default() }
    }

    /// Authenticates a request by its token, or by its signature `SDK-HMAC-SHA256`. A GET is also checked against the
    /// tenant's read rate. Other methods are neither limited nor counted, since a revocation must always be possible.
    ///
    /// # Errors
    /// The rejected request, for its facade to respond to: the function is not ready, the body is too large, the credential
    /// is missing or invalid, or the tenant has exceeded its read rate.
    pub async fn authenticate(&self, request: Request) -> Result<AuthenticatedRequest, Box<RejectedRequest>> {
        let incoming = self.receive(request)?;
        incoming.record_access_key(signature::claimed_access_key(&incoming.as_signed(), &[]));
        let (signed, store) = (incoming.as_signed(), &incoming.app.store);
        let caller = self.authenticator.authenticate(&signed, store, Timestamp::now()).await;
        check_read_rate(self.authenticated(incoming, caller)?)
    }

    /// Handles a request that needs a credential: responds with `handler` if it is authenticated, and with `reject` if it
    /// is not ([`HttpFunction::authenticate`]).
    pub async fn handle(
        &self,
        request: Request,
        reject: impl FnOnce(RejectedRequest) -> HttpResponse,
        handler: impl AsyncFnOnce(&AuthenticatedRequest) -> HttpResponse,
    ) -> HttpResponse {
        match self.authenticate(request).await {
            Ok(request) => {
                let response = handler(&request).await;
                request.finish(response)
            }
            Err(rejected) => reject(*rejected),
        }
    }

    /// Receives a request without authenticating it: for a facade that has to parse its parameters first, since the
    /// credential is among them.
    ///
    /// # Errors
    /// The rejected request, if the function is not ready, or the body is larger than the operation allows.
    pub fn receive(&self, request: Request) -> Result<IncomingRequest, Box<RejectedRequest>> {
        let limit = body_limit(&route_key(&request));
        self.receive_up_to(request, limit)
    }

    /// The same for an operation with this body limit, in bytes: one that is not in the API's document.
    ///
    /// # Errors
    /// The rejected request, as for [`Self::receive`].
    pub fn receive_up_to(
        &self,
        request: Request,
        body_limit: usize,
    ) -> Result<IncomingRequest, Box<RejectedRequest>> {
        let incoming = self.start(request);
        if let Some(unready) = incoming.unready().cloned() {
            return Err(Box::new(RejectedRequest::new(incoming, unready)));
        }
        match check_body_size(incoming.body().len(), body_limit, incoming.headers()) {
            Ok(()) => Ok(incoming),
            Err(error) => Err(Box::new(RejectedRequest::new(incoming, error))),
        }
    }

    /// Authenticates a request of Alibaba's RPC API by its signature (`ACS3-HMAC-SHA256`, or version 1 in the
    /// parameters), or by its token. `parameters` are those of query and form, decoded, in their original order,
    /// including those without a value. Does not check the read rate, since only the facade knows whether an action
    /// reads ([`AuthenticatedRequest::check_read_rate`]).
    ///
    /// # Errors
    /// The rejected request, if its credential is missing or invalid.
    pub async fn authenticate_rpc(
        &self,
        incoming: IncomingRequest,
        parameters: &[(String, String)],
    ) -> Result<AuthenticatedRequest, Box<RejectedRequest>> {
        incoming.record_access_key(signature::claimed_access_key(&incoming.as_signed(), parameters));
        let (signed, store) = (incoming.as_signed(), &incoming.app.store);
        let caller = self.authenticator.authenticate_rpc(&signed, parameters, store, Timestamp::now()).await;
        self.authenticated(incoming, caller)
    }

    /// Authenticates a request to a service of AWS by its signature `AWS4-HMAC-SHA256` or its token. Does not check the
    /// read rate.
    ///
    /// # Errors
    /// The rejected request, if its credential is missing or invalid.
    pub async fn authenticate_aws(
        &self,
        incoming: IncomingRequest,
        service: &str,
    ) -> Result<AuthenticatedRequest, Box<RejectedRequest>> {
        incoming.record_access_key(signature::claimed_access_key(&incoming.as_signed(), &[]));
        let (signed, store) = (incoming.as_signed(), &incoming.app.store);
        let caller = self.authenticator.authenticate_aws(&signed, service, store, Timestamp::now()).await;
        self.authenticated(incoming, caller)
    }

    /// Authenticates a request by the token of its session, which is in a cookie and not in the headers of a credential. A
    /// GET is also checked against the tenant's read rate.
    ///
    /// # Errors
    /// The rejected request, if the token is invalid, or the tenant has exceeded its read rate.
    pub async fn authenticate_session(
        &self,
        incoming: IncomingRequest,
        token: &str,
    ) -> Result<AuthenticatedRequest, Box<RejectedRequest>> {
        let store = &incoming.app.store;
        let caller = self.authenticator.authenticate_session(token, store, Timestamp::now()).await;
        check_read_rate(self.authenticated(incoming, caller)?)
    }

    /// Handles a request that needs no credential. Responds with 503 if the function is not ready.
    pub fn handle_public(
        &self,
        request: Request,
        handler: impl FnOnce(&Settings, &Request) -> HttpResponse,
    ) -> HttpResponse {
        let incoming = self.start(request);
        let response = match incoming.unready() {
            None => handler(&incoming.app.settings, incoming.as_event()),
            Some(unready) => ApiError::from(unready).into_response(),
        };
        incoming.finish(response)
    }

    fn start(&self, request: Request) -> IncomingRequest {
        let store = self.app.store.metered().with_deadline(http_deadline(request.lambda_context_ref()));
        IncomingRequest::new(App { store, ..self.app.clone() }, request)
    }

    fn authenticated(
        &self,
        incoming: IncomingRequest,
        caller: Result<Caller, AuthError>,
    ) -> Result<AuthenticatedRequest, Box<RejectedRequest>> {
        let keyring = self.authenticator.keyring().clone();
        match caller {
            Ok(caller) => Ok(AuthenticatedRequest::new(incoming, caller, keyring, self.read_limiter.clone())),
            Err(error) => Err(Box::new(RejectedRequest::new(incoming, error))),
        }
    }
}

/// Checks the read rate of the caller's tenant, if the request is a GET.
fn check_read_rate(request: AuthenticatedRequest) -> Result<AuthenticatedRequest, Box<RejectedRequest>> {
    if !request.route().starts_with("GET ") {
        return Ok(request);
    }
    match request.check_read_rate() {
        Ok(()) => Ok(request),
        Err(error) => Err(Box::new(RejectedRequest::authenticated(request, error))),
    }
}

/// Handles a request in a tracing span with the gateway's request id, so that every log line of the request has it.
pub async fn with_request_span<R>(request: Request, handle: impl FnOnce(Request) -> R) -> HttpResponse
where
    R: Future<Output = HttpResponse>,
{
    let span = tracing::error_span!("request", request_id = gateway_request_id(&request));
    handle(request).instrument(span).await
}
