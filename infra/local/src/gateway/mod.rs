//! The local API gateway: converts an HTTP request to the event that a function gets on AWS, and the function's result
//! to the HTTP response, within the limits of API Gateway and Lambda.

mod body;
mod bus_routes;
mod connections;
mod error;
mod error_page;
mod event;
mod handlers;
mod memory_budget;
mod routes;
mod server;
mod stream;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use imageshare::function::with_request_span;
use imageshare::http::health::{healthy_response, unhealthy_response};
use imageshare::http::{ErrorInfo, HttpResponse, effective_body_limit, redact_path};
use imageshare_routes::DEFAULT_ROUTE;
pub use imageshare_routes::OPENAPI;
use time::OffsetDateTime;
use tokio::sync::RwLock;
use uuid::Uuid;

use self::body::BodyError;
use self::bus_routes::BusRoutes;
pub use self::bus_routes::{EVENTS, EVENTS_BODY_LIMIT};
use self::error::{GatewayError, set_request_id};
pub(crate) use self::event::ACCOUNT_ID;
use self::event::{EventInput, MalformedRequest};
pub use self::handlers::{BeforeHook, BoxFuture, Handler, Handlers};
use self::memory_budget::{MemoryBudget, MemoryPermit};
pub use self::routes::RoutesError;
use self::routes::{Route, RouteTarget, Routes};
pub use self::server::serve;
use crate::metrics::Metrics;

/// Lambda's limit for an event and for a response.
const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// An HTTP API's limit for request line and headers.
const MAX_HEADER_BYTES: usize = 10_240;

/// The budget for large request bodies, in bytes. A body is in memory up to four times while its event is built.
const MAX_BODY_MEMORY: usize = 8 * 1024 * 1024;

/// The budget for large responses, in bytes, held until their clients have read them.
const MAX_RESPONSE_MEMORY: usize = 48 * 1024 * 1024;

/// How long an HTTP API waits for a function.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(29);

/// The state that the service reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Everything works.
    Healthy,
    /// Everything works, but the server is stopping.
    Stopping,
    /// Some requests fail, for that reason, until an operator intervenes.
    Degraded(&'static str),
    /// All requests fail, for that reason.
    Down(&'static str),
}

/// Finds out the service's state.
pub type HealthCheck = Arc<dyn Fn() -> BoxFuture<Health> + Send + Sync>;

/// The gateway.
pub struct Gateway {
    routes: Routes,
    bus_routes: Option<BusRoutes>,
    health: HealthCheck,
    domain: String,
    function_timeout: Duration,
    metrics: Arc<Metrics>,
    /// Read-locked by each running function call.
    in_flight: Arc<RwLock<()>>,
    body_budget: MemoryBudget,
    response_budget: MemoryBudget,
}

impl Gateway {
    /// Creates a gateway for the routes of an OpenAPI document, and for those of the event bus if the handlers have one
    /// named [`EVENTS`]. `domain` is the host name of requests without `Host`.
    ///
    /// # Errors
    /// [`RoutesError`]: the document is invalid, or names a function that is not among the handlers.
    pub fn new(
        openapi: &str,
        handlers: &Handlers,
        health: HealthCheck,
        domain: String,
    ) -> Result<Self, RoutesError> {
        let routes = Routes::parse(openapi, handlers)?;
        Ok(Self {
            routes,
            bus_routes: BusRoutes::new(handlers),
            health,
            domain,
            function_timeout: FUNCTION_TIMEOUT,
            in_flight: Arc::default(),
            metrics: Arc::default(),
            body_budget: MemoryBudget::new(MAX_BODY_MEMORY),
            response_budget: MemoryBudget::new(MAX_RESPONSE_MEMORY),
        })
    }

    /// Makes the gateway count its requests in `metrics`.
    #[must_use]
    pub fn with_metrics(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Handles one request. A function logs its own responses, with the caller and the cost; the gateway logs the
    /// others.
    pub async fn handle<B>(&self, request: Request<B>, client: SocketAddr) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
    {
        let started = Instant::now();
        let request_id = Uuid::new_v4().to_string();
        let (head, body) = request.into_parts();
        let (route, path_parameters) = self.find_route(&head);
        let result = match &route.target {
            RouteTarget::Health => Err(self.health().await),
            RouteTarget::Readiness => Err(self.readiness().await),
            RouteTarget::Function(handler) => {
                let call = FunctionCall {
                    handler,
                    route_key: &route.key,
                    body_limit: route.body_limit,
                    path_parameters,
                    request_id: &request_id,
                    client,
                };
                self.invoke(&head, body, call).await.map_err(|problem| problem.to_response())
            }
        };
        let mut response = match result {
            Ok(response) => response,
            Err(own) => {
                let mut own = error_page::for_reader(own, &head, &request_id);
                set_request_id(&mut own, &request_id);
                let problem = own.extensions().get::<ErrorInfo>();
                tracing::info!(
                    request_id,
                    client = %client.ip(),
                    operation = route.key,
                    method = head.method.as_str(),
                    path = (route.key == DEFAULT_ROUTE).then(|| redact_path(head.uri.path())),
                    status = own.status().as_u16(),
                    code = problem.map(|problem| problem.code.as_str()),
                    reason = problem.map(|problem| problem.message.as_str()),
                    duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
                    "request"
                );
                own.map(|body| Full::from(body_bytes(body)))
            }
        };
        self.metrics.count_request(&route.key, &response, started.elapsed());
        if head.method == Method::HEAD {
            set_empty_content_length(&mut response);
        }
        response
    }

    /// The route of a request, and the parameters of its path.
    fn find_route<'a>(&'a self, head: &'a Parts) -> (&'a Route, Vec<(&'a str, &'a str)>) {
        match self.bus_routes.as_ref().and_then(|routes| routes.find(head)) {
            Some(route) => (route, Vec::new()),
            None => self.routes.find(&head.method, head.uri.path()),
        }
    }

    /// Returns when no function call is running.
    pub async fn wait_until_idle(&self) {
        drop(self.in_flight.write().await);
    }

    /// The response of `/health`, for an operator's monitoring: 503 if anything is wrong.
    async fn health(&self) -> HttpResponse {
        match (self.health)().await {
            Health::Healthy | Health::Stopping => healthy_response(),
            Health::Degraded(reason) | Health::Down(reason) => unhealthy_response(reason),
        }
    }

    /// The response of `/ready`, for a load balancer: 503 if it should send no requests.
    async fn readiness(&self) -> HttpResponse {
        match (self.health)().await {
            Health::Healthy | Health::Degraded(_) => healthy_response(),
            Health::Stopping => unhealthy_response("The server is stopping."),
            Health::Down(reason) => unhealthy_response(reason),
        }
    }

    /// Converts a request to an event, and runs its function.
    async fn invoke<B>(
        &self,
        head: &Parts,
        body: B,
        call: FunctionCall<'_>,
    ) -> Result<Response<Full<Bytes>>, GatewayError>
    where
        B: Body<Data = Bytes>,
    {
        let expects_continue = head.headers.contains_key(EXPECT);
        if head_size(head) > MAX_HEADER_BYTES {
            // Discards the body, so that the client reads the response.
            let _ = body::read(body, 0, expects_continue).await;
            return Err(GatewayError::HeadersTooLarge);
        }
        let (body, permit) = self.read_body(head, body, call.body_limit, expects_continue).await?;
        let path = self.event_path(call.route_key, head.uri.path());
        let input = EventInput {
            head,
            body: &body,
            route_key: call.route_key,
            path: &path,
            path_parameters: &call.path_parameters,
            request_id: call.request_id,
            client: call.client,
            domain: &self.domain,
            now: OffsetDateTime::now_utc(),
        };
        let event = event::to_json(&input).map_err(GatewayError::Malformed)?;
        if event.len() > MAX_PAYLOAD_BYTES {
            return Err(GatewayError::Body(BodyError::TooLarge));
        }
        drop(body);
        // The parser panics if it cannot build a URL.
        let request = catch_unwind(|| lambda_http::request::from_str(&event));
        let Ok(Ok(request)) = request else {
            return Err(GatewayError::Malformed(MalformedRequest::Host));
        };
        drop(event);
        let response = self.run_function(call.handler, request, call.request_id, permit).await?;
        self.build_response(response)
    }

    /// Returns the path for the event of a request. A path without a route keeps its encoded slashes if its decoded form has
    /// a route: a function that looks for the route of a path must not find one that this gateway does not.
    fn event_path<'a>(&self, route_key: &str, path: &'a str) -> Cow<'a, str> {
        let decoded = event::decode_path(path);
        if route_key == DEFAULT_ROUTE && self.routes.has_path(&decoded) {
            return Cow::Owned(event::decode_segments(path));
        }
        decoded
    }

    /// Reads a body within the limit of its operation. A large body takes a part of the memory budget.
    async fn read_body<B>(
        &self,
        head: &Parts,
        body: B,
        limit: usize,
        expects_continue: bool,
    ) -> Result<(Bytes, MemoryPermit), GatewayError>
    where
        B: Body<Data = Bytes>,
    {
        let allowed = effective_body_limit(limit, &head.headers);
        let expected = body::declared_length(&body).filter(|declared| *declared <= allowed);
        let Some(permit) = self.body_budget.try_acquire(expected.unwrap_or(allowed)) else {
            let _ = body::read(body, 0, expects_continue).await;
            return Err(GatewayError::Busy);
        };
        let body = body::read(body, allowed, expects_continue).await;
        let body = body.map_err(|problem| match problem {
            BodyError::TooLarge => GatewayError::BodyTooLarge { allowed, limit },
            other => GatewayError::Body(other),
        })?;
        Ok((body, permit))
    }

    /// Converts a function's response. A large one takes a part of the memory budget until the client has read it.
    fn build_response(&self, response: HttpResponse) -> Result<Response<Full<Bytes>>, GatewayError> {
        let (parts, body) = response.into_parts();
        let body = body_bytes(body);
        let permit = self.response_budget.try_acquire(body.len()).ok_or(GatewayError::Busy)?;
        Ok(Response::from_parts(parts, Full::from(permit.attach_to(body))))
    }

    /// Runs a function to its end, even if the client goes away, as Lambda does.
    async fn run_function(
        &self,
        handler: &Handler,
        request: lambda_http::Request,
        request_id: &str,
        permit: MemoryPermit,
    ) -> Result<HttpResponse, GatewayError> {
        let running = Arc::clone(&self.in_flight).read_owned().await;
        let handler = Arc::clone(handler);
        let mut task = tokio::spawn(async move {
            let response = with_request_span(request, |request| handler(request)).await;
            drop((running, permit));
            response
        });
        match tokio::time::timeout(self.function_timeout, &mut task).await {
            Ok(Ok(response)) if payload_size(&response) <= MAX_PAYLOAD_BYTES => Ok(response),
            Ok(Ok(_)) => {
                tracing::error!(request_id, "the function's response is larger than 6 MB");
                Err(GatewayError::FunctionFailed)
            }
            Ok(Err(_)) => {
                tracing::error!(request_id, "the function panicked");
                Err(GatewayError::FunctionFailed)
            }
            Err(_) => {
                task.abort();
                tracing::error!(request_id, "the function did not respond in time");
                Err(GatewayError::FunctionTimeout)
            }
        }
    }
}

/// A function to call, with what the event needs besides the request itself.
struct FunctionCall<'a> {
    handler: &'a Handler,
    route_key: &'a str,
    body_limit: usize,
    path_parameters: Vec<(&'a str, &'a str)>,
    request_id: &'a str,
    client: SocketAddr,
}

/// Sets the length of an empty body in a response to `HEAD`, as in one to `GET`; hyper omits it.
fn set_empty_content_length(response: &mut Response<Full<Bytes>>) {
    if response.body().is_end_stream() && response.status() != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

/// Bytes of request line and headers, without the separators.
fn head_size(head: &Parts) -> usize {
    let line = head.method.as_str().len() + head.uri.path().len() + head.uri.query().map_or(0, str::len);
    line + head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
}

/// Bytes of a function's response as Lambda counts them: a binary body is passed in base64.
fn payload_size(response: &HttpResponse) -> usize {
    match response.body() {
        lambda_http::Body::Text(text) => text.len(),
        lambda_http::Body::Binary(bytes) => bytes.len().div_ceil(3) * 4,
        _ => 0,
    }
}

fn body_bytes(body: lambda_http::Body) -> Vec<u8> {
    match body {
        lambda_http::Body::Text(text) => text.into_bytes(),
        lambda_http::Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
