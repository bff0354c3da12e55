//! What every Lambda function that answers HTTP does around its use case: admit the caller, name the request, log it.
//!
//! Requests come as API Gateway hands them over (HTTP API, payload 2.0). Which operation a request is, is the gateway's
//! finding, its route key; the routes are stated once, in `infra/openapi.yaml`.

mod call;
mod deployment;

use std::time::Instant;

use http::HeaderValue;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

pub use self::call::Call;
use self::call::Trace;
pub use self::deployment::{BadDeployment, service_from_env, start_log};
use crate::Service;
use crate::auth::{Authenticator, Unauthenticated};
use crate::facade::alibaba::{self, Envelope};
use crate::facade::{Reply, ims};
use crate::store::Usage;

/// A function that answers HTTP: the service, and who may call it.
#[derive(Debug, Clone)]
pub struct Function {
    /// The table and the settings.
    pub service: Service,
    /// Decides who makes a request.
    pub authenticator: Authenticator,
}

impl Function {
    /// A function as its environment variables describe it; opens the connection to the table.
    ///
    /// # Errors
    /// [`BadDeployment`] names the variable that is missing or wrong.
    pub async fn from_env() -> Result<Self, BadDeployment> {
        deployment::function_from_env().await
    }

    /// Finds out who makes a request.
    ///
    /// # Errors
    /// The finished answer where nobody does, or nobody who may.
    #[allow(clippy::result_large_err, reason = "the error is the answer, and it is made once a request")]
    pub fn admit(&self, request: Request) -> Result<Call, Reply> {
        self.admit_or(request, |_, refused| ims::unauthenticated(refused))
    }

    /// Finds out who makes a request in Alibaba's dialect.
    ///
    /// # Errors
    /// The finished answer where nobody does, or nobody who may.
    #[allow(clippy::result_large_err, reason = "the error is the answer, and it is made once a request")]
    pub fn admit_rpc(&self, request: Request) -> Result<Call, Reply> {
        let headers = request.headers().clone();
        self.admit_or(request, |id, refused| alibaba::unauthenticated(refused, &Envelope::new(id, &headers)))
    }

    #[allow(clippy::result_large_err, reason = "the error is the answer, and it is made once a request")]
    fn admit_or(
        &self,
        request: Request,
        refuse: impl FnOnce(&str, Unauthenticated) -> Reply,
    ) -> Result<Call, Reply> {
        let trace = Trace {
            request_id: request_id_of(&request),
            route: route_of(&request).to_owned(),
            begun: Instant::now(),
        };
        match self.authenticator.authenticate(request.headers()) {
            Ok(caller) => {
                let service = Service { store: self.service.store.metered(), ..self.service.clone() };
                Ok(Call { service, caller, request, trace })
            }
            Err(refused) => {
                let reply = refuse(&trace.request_id, refused);
                Err(trace.finish(reply, None, Usage::default()))
            }
        }
    }
}

/// The gateway's route key of a request; empty where it has none.
pub fn route_of(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref().unwrap_or_default(),
        _ => "",
    }
}

/// The gateway's id for the request; a new one where it has none.
fn request_id_of(request: &Request) -> String {
    let given = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.request_id.clone(),
        _ => None,
    };
    given.filter(|id| HeaderValue::from_str(id).is_ok()).unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
}
