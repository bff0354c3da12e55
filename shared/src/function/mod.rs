//! What every Lambda function that answers HTTP does around its use case: admit the caller, name the request, log it.
//!
//! Requests come as API Gateway hands them over (HTTP API, payload 2.0). Which operation a request is, is the gateway's
//! finding, its route key; the routes are stated once, in `infra/openapi.yaml`.

mod address;
mod body_limit;
mod call;
mod deadline;
mod deployment;
mod reads;
mod trace;

use std::sync::OnceLock;

use http::HeaderValue;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use tracing::Instrument;

pub use self::address::{BadPublicUrl, address, public_url};
use self::body_limit::refuse_large_body;
pub use self::body_limit::{DEFAULT_BODY_LIMIT, body_limit, body_limit_of, too_large};
pub use self::call::{Call, Received};
pub use self::deadline::{deadline, end_of};
pub use self::deployment::{BadDeployment, service_from_env, start_log};
use self::reads::Reads;
use self::trace::Trace;
pub use self::trace::path_for_log;
use crate::auth::{Authenticator, NotAdmitted, signature};
use crate::domain::{Caller, Timestamp};
use crate::facade::{Reply, ims};
use crate::{Service, Settings};

/// A function that answers HTTP: the service, and who may call it.
#[derive(Debug, Clone)]
pub struct Function {
    /// The table and the settings.
    pub service: Service,
    /// Decides who makes a request.
    pub authenticator: Authenticator,
    /// What each tenant has read lately, through this function and its clones.
    reads: Reads,
}

impl Function {
    /// A function of that service, whose callers that authenticator knows.
    pub fn new(service: Service, authenticator: Authenticator) -> Self {
        Self { service, authenticator, reads: Reads::default() }
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
    pub async fn admit(&self, request: Request) -> Result<Call, Reply> {
        let received = self.receive(request).map_err(|refused| *refused)?;
        received.trace.note_access_key(signature::claimed_key(&received.as_signed(), &[]));
        let (signed, store) = (received.as_signed(), &received.service.store);
        let found = self.authenticator.caller(&signed, store, Timestamp::now()).await;
        match found {
            Ok(caller) => {
                let call = self.call(received, caller);
                if !call.route().starts_with("GET ") {
                    return Ok(call);
                }
                match call.admit_read() {
                    Ok(()) => Ok(call),
                    Err(refusal) => Err(call.finish(ims::Error::from(refusal).into_reply())),
                }
            }
            Err(refused) => Err(received.finish(ims::not_admitted(&refused))),
        }
    }

    /// Takes a request in without looking who makes it: for a facade that has to read its parameters first, since the
    /// credential stands among them.
    ///
    /// # Errors
    /// The finished answer where the body is larger than the operation takes.
    pub fn receive(&self, request: Request) -> Result<Received, Box<Reply>> {
        let received = self.begin(request);
        let bytes = received.body().len();
        match refuse_large_body(bytes, received.route(), received.request.headers()) {
            None => Ok(received),
            Some(refused) => Err(Box::new(received.finish(refused))),
        }
    }

    fn begin(&self, request: Request) -> Received {
        let trace = Trace::begin(&request);
        let store = self.service.store.metered().until(deadline(request.lambda_context_ref()));
        let service = Service { store, ..self.service.clone() };
        Received { service, request, trace }
    }

    /// Finds out who makes a request of Alibaba's RPC form: by its signature (`ACS3-HMAC-SHA256`, or version 1 among the
    /// parameters), or by its token. `parameters` are those of query and form, decoded, in the order in which they came;
    /// one without a value belongs to them. Whether an action only reads, and may be refused for that, the facade knows
    /// ([`Call::admit_read`]).
    ///
    /// # Errors
    /// The request, and why it is not admitted: the facade words that, and gives its answer to [`Received::finish`].
    pub async fn admit_rpc(
        &self,
        received: Received,
        parameters: &[(String, String)],
    ) -> Result<Call, (Box<Received>, NotAdmitted)> {
        received.trace.note_access_key(signature::claimed_key(&received.as_signed(), parameters));
        let (signed, store) = (received.as_signed(), &received.service.store);
        let found = self.authenticator.rpc_caller(&signed, parameters, store, Timestamp::now()).await;
        match found {
            Ok(caller) => Ok(self.call(received, caller)),
            Err(refused) => Err((Box::new(received), refused)),
        }
    }

    /// Answers a request that anybody may make.
    pub fn answer_anybody(
        &self,
        request: Request,
        answer: impl FnOnce(&Settings, &Request) -> Reply,
    ) -> Reply {
        let received = self.begin(request);
        let reply = answer(&received.service.settings, &received.request);
        received.finish(reply)
    }

    fn call(&self, received: Received, caller: Caller) -> Call {
        let Received { mut service, request, trace } = received;
        service.store = service.store.on_behalf_of(&caller.tenant);
        Call {
            service,
            keyring: self.authenticator.keyring().clone(),
            caller,
            request,
            trace,
            reads: self.reads.clone(),
            reading: OnceLock::new(),
        }
    }
}

/// The gateway's route key, as `GET /v1/cloudimages/quota`; empty where a request has none. `HEAD` is answered as `GET` is:
/// the server that sends the answer leaves its body out.
pub fn route_of(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            let route = context.route_key.clone().unwrap_or_default();
            match route.strip_prefix("HEAD ") {
                Some(path) => format!("GET {path}"),
                None => route,
            }
        }
        _ => String::new(),
    }
}

/// Answers a request so that each line of the log that is written meanwhile bears the gateway's id for it.
pub async fn traced<R>(request: Request, answer: impl FnOnce(Request) -> R) -> Reply
where
    R: Future<Output = Reply>,
{
    let span = tracing::error_span!("request", request_id = given_id(&request));
    answer(request).instrument(span).await
}

/// The gateway's id for the request; a new one where it has none.
fn request_id_of(request: &Request) -> String {
    let given = given_id(request).filter(|id| HeaderValue::from_str(id).is_ok());
    given.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

fn given_id(request: &Request) -> Option<&str> {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.as_deref(),
        _ => None,
    }
}
