//! What every Lambda function that answers HTTP does around its use case: admit the caller, name the request, log it.
//!
//! Requests come as API Gateway hands them over (HTTP API, payload 2.0). Which operation a request is, is the gateway's
//! finding, its route key; the routes are stated once, in `infra/openapi.yaml`.

mod deadline;
mod deployment;
mod run;

use lambda_http::{Request, RequestExt};
use tracing::Instrument;

pub use self::deadline::{http_deadline, lambda_deadline};
pub use self::deployment::{BadDeployment, app_from_env, init_logging};
pub use self::run::{Error, run, run_worker};
use crate::auth::{AuthError, Authenticator, signature};
use crate::domain::{Caller, Timestamp};
use crate::http::{
    AuthenticatedRequest, HttpResponse, IncomingRequest, ReadLimiter, RejectedRequest, check_body_size,
    gateway_request_id,
};
use crate::{App, Settings};

/// A function that answers HTTP: the service, and who may call it.
#[derive(Debug, Clone)]
pub struct HttpFunction {
    /// The table and the settings.
    pub app: App,
    /// Decides who makes a request.
    pub authenticator: Authenticator,
    /// What each tenant has read lately, through this function and its clones.
    read_limiter: ReadLimiter,
}

impl HttpFunction {
    /// A function of that service, whose callers that authenticator knows.
    pub fn new(service: App, authenticator: Authenticator) -> Self {
        Self { app: service, authenticator, read_limiter: ReadLimiter::default() }
    }

    /// Authenticates a request by its token, or by its signature `SDK-HMAC-SHA256`. A GET, which only reads, is rejected
    /// where its tenant has read too much lately; a change never is, since a revocation must always be possible, and is not
    /// counted either.
    ///
    /// # Errors
    /// The rejected request, which the facade of its route answers: the body is too large, the credential is missing or not
    /// valid, or the tenant has to wait.
    pub async fn authenticate(&self, request: Request) -> Result<AuthenticatedRequest, Box<RejectedRequest>> {
        let incoming = self.receive(request)?;
        incoming.record_access_key(signature::claimed_access_key(&incoming.as_signed(), &[]));
        let (signed, store) = (incoming.as_signed(), &incoming.app.store);
        let caller = self.authenticator.authenticate(&signed, store, Timestamp::now()).await;
        let request = self.authenticated(incoming, caller)?;
        if !request.route().starts_with("GET ") {
            return Ok(request);
        }
        match request.check_read_rate() {
            Ok(()) => Ok(request),
            Err(error) => Err(Box::new(RejectedRequest::authenticated(request, error))),
        }
    }

    /// Takes a request in without authenticating it: for a facade that has to read its parameters first, since the
    /// credential is among them.
    ///
    /// # Errors
    /// The rejected request, where the body is larger than the operation takes.
    pub fn receive(&self, request: Request) -> Result<IncomingRequest, Box<RejectedRequest>> {
        let incoming = self.start(request);
        match check_body_size(incoming.body().len(), incoming.route(), incoming.headers()) {
            Ok(()) => Ok(incoming),
            Err(error) => Err(Box::new(RejectedRequest::new(incoming, error))),
        }
    }

    /// Authenticates a request of Alibaba's RPC form: by its signature (`ACS3-HMAC-SHA256`, or version 1 among the
    /// parameters), or by its token. `parameters` are those of query and form, decoded, in the order in which they came,
    /// also those without a value. The read rate is not checked: only the facade knows whether an action reads
    /// ([`AuthenticatedRequest::check_read_rate`]).
    ///
    /// # Errors
    /// The rejected request: its credential is missing or not valid.
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

    /// Handles a request that needs no credential.
    pub fn handle_public(
        &self,
        request: Request,
        handler: impl FnOnce(&Settings, &Request) -> HttpResponse,
    ) -> HttpResponse {
        let incoming = self.start(request);
        let response = handler(&incoming.app.settings, incoming.as_event());
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

/// Answers a request so that each line of the log that is written meanwhile bears the gateway's id for it.
pub async fn with_request_span<R>(request: Request, answer: impl FnOnce(Request) -> R) -> HttpResponse
where
    R: Future<Output = HttpResponse>,
{
    let span = tracing::error_span!("request", request_id = gateway_request_id(&request));
    answer(request).instrument(span).await
}
