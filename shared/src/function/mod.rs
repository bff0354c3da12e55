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
use crate::auth::Authenticator;
use crate::facade::{Reply, ims};
use crate::store::Usage;
use crate::{Service, Settings};

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
        let trace =
            Trace { request_id: request_id_of(&request), route: route_of(&request), begun: Instant::now() };
        match self.authenticator.authenticate(request.headers()) {
            Ok(caller) => {
                let service = Service { store: self.service.store.metered(), ..self.service.clone() };
                Ok(Call { service, caller, request, trace })
            }
            Err(refused) => Err(trace.finish(ims::unauthenticated(refused), None, Usage::default())),
        }
    }

    /// Answers a request that anybody may make.
    pub fn answer_anybody(
        &self,
        request: &Request,
        answer: impl FnOnce(&Settings, &Request) -> Reply,
    ) -> Reply {
        let trace =
            Trace { request_id: request_id_of(request), route: route_of(request), begun: Instant::now() };
        trace.finish(answer(&self.service.settings, request), None, Usage::default())
    }
}

/// The gateway's route key, as `GET /v1/cloudimages/quota`.
pub fn route_of(request: &Request) -> String {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.clone().unwrap_or_default(),
        _ => String::new(),
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
