//! What every Lambda function that answers HTTP does around its use case: admit the caller, name the request, log it.
//!
//! Requests come as API Gateway hands them over (HTTP API, payload 2.0). Which operation a request is, is the gateway's
//! finding, its route key; the routes are stated once, in `infra/openapi.yaml`.

mod body_limit;
mod deadline;
mod deployment;

use std::sync::OnceLock;

use lambda_http::{Request, RequestExt};
use tracing::Instrument;

use self::body_limit::reject_large_body;
pub use self::body_limit::{DEFAULT_BODY_LIMIT, body_limit, body_too_large, effective_body_limit};
pub use self::deadline::{http_deadline, lambda_deadline};
pub use self::deployment::{BadDeployment, app_from_env, init_logging};
use crate::auth::{AuthError, Authenticator, signature};
use crate::domain::{Caller, Timestamp};
use crate::facade::ims;
use crate::http::{
    AuthenticatedRequest, HttpResponse, IncomingRequest, ReadLimiter, RequestTrace, gateway_request_id,
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

    /// A function as its environment variables describe it; opens the connection to the table.
    ///
    /// # Errors
    /// [`BadDeployment`] names the variable that is missing or wrong.
    pub async fn from_env() -> Result<Self, BadDeployment> {
        deployment::function_from_env().await
    }

    /// Finds out who makes a request: by its token, or by its signature `SDK-HMAC-SHA256`. A request that only reads, by
    /// GET, is refused where its tenant has read too much lately; what changes something never is, since a revocation must
    /// always be possible, and is not counted either.
    ///
    /// # Errors
    /// The finished answer where nobody does, or nobody who may, where the tenant has to wait, or where the body is too large.
    pub async fn authenticate(&self, request: Request) -> Result<AuthenticatedRequest, HttpResponse> {
        let received = self.receive(request).map_err(|refused| *refused)?;
        received.trace.record_access_key(signature::claimed_access_key(&received.as_signed(), &[]));
        let (signed, store) = (received.as_signed(), &received.app.store);
        let found = self.authenticator.authenticate(&signed, store, Timestamp::now()).await;
        match found {
            Ok(caller) => {
                let call = self.authenticated(received, caller);
                if !call.route().starts_with("GET ") {
                    return Ok(call);
                }
                match call.check_read_rate() {
                    Ok(()) => Ok(call),
                    Err(refusal) => Err(call.finish(ims::Error::from(refusal).into_response())),
                }
            }
            Err(refused) => Err(received.finish(ims::auth_error_response(&refused))),
        }
    }

    /// Takes a request in without looking who makes it: for a facade that has to read its parameters first, since the
    /// credential stands among them.
    ///
    /// # Errors
    /// The finished answer where the body is larger than the operation takes.
    pub fn receive(&self, request: Request) -> Result<IncomingRequest, Box<HttpResponse>> {
        let received = self.start(request);
        let bytes = received.body().len();
        match reject_large_body(bytes, received.route(), received.request.headers()) {
            None => Ok(received),
            Some(refused) => Err(Box::new(received.finish(refused))),
        }
    }

    fn start(&self, request: Request) -> IncomingRequest {
        let trace = RequestTrace::start(&request);
        let store = self.app.store.metered().with_deadline(http_deadline(request.lambda_context_ref()));
        let service = App { store, ..self.app.clone() };
        IncomingRequest { app: service, request, trace }
    }

    /// Finds out who makes a request of Alibaba's RPC form: by its signature (`ACS3-HMAC-SHA256`, or version 1 among the
    /// parameters), or by its token. `parameters` are those of query and form, decoded, in the order in which they came;
    /// one without a value belongs to them. Whether an action only reads, and may be refused for that, the facade knows
    /// ([`AuthenticatedRequest::check_read_rate`]).
    ///
    /// # Errors
    /// The request, and why it is not admitted: the facade words that, and gives its answer to [`IncomingRequest::finish`].
    pub async fn authenticate_rpc(
        &self,
        received: IncomingRequest,
        parameters: &[(String, String)],
    ) -> Result<AuthenticatedRequest, (Box<IncomingRequest>, AuthError)> {
        received.trace.record_access_key(signature::claimed_access_key(&received.as_signed(), parameters));
        let (signed, store) = (received.as_signed(), &received.app.store);
        let found = self.authenticator.authenticate_rpc(&signed, parameters, store, Timestamp::now()).await;
        match found {
            Ok(caller) => Ok(self.authenticated(received, caller)),
            Err(refused) => Err((Box::new(received), refused)),
        }
    }

    /// Answers a request that anybody may make.
    pub fn handle_public(
        &self,
        request: Request,
        answer: impl FnOnce(&Settings, &Request) -> HttpResponse,
    ) -> HttpResponse {
        let received = self.start(request);
        let reply = answer(&received.app.settings, &received.request);
        received.finish(reply)
    }

    fn authenticated(&self, received: IncomingRequest, caller: Caller) -> AuthenticatedRequest {
        let IncomingRequest { app: mut service, request, trace } = received;
        service.store = service.store.for_tenant(&caller.tenant);
        AuthenticatedRequest {
            app: service,
            keyring: self.authenticator.keyring().clone(),
            caller,
            request,
            trace,
            read_limiter: self.read_limiter.clone(),
            read_charge: OnceLock::new(),
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
