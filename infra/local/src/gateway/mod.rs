//! The local API gateway: an HTTP request becomes the event that the function gets on AWS, and the function's
//! answer becomes the HTTP response, within the limits that API Gateway and Lambda set.

mod body;
mod budget;
mod connections;
mod event;
mod refusal;
mod routes;
mod server;
mod stream;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Body;
use imageshare::facade::{self, Problem, Reply};
use imageshare::function::{body_limit_of, path_for_log, traced};
use time::OffsetDateTime;
use tokio::sync::RwLock;
use uuid::Uuid;

use self::body::BodyError;
use self::budget::{Budget, Room};
pub(crate) use self::event::ACCOUNT_ID;
use self::event::{Malformed, Source};
use self::refusal::Refusal;
pub use self::routes::{BadRoutes, OPENAPI};
use self::routes::{DEFAULT_ROUTE, Routes, Target};
pub use self::server::serve;
use crate::metrics::Metrics;

/// What a Lambda function takes and gives at most, as event and as answer.
const MOST_PAYLOAD: usize = 6 * 1024 * 1024;

/// What an HTTP API takes at most of request line and headers.
const MOST_HEADERS: usize = 10_240;

/// How many bytes of large bodies there may be at once. Each is there up to four times while its event is made.
const BODIES: usize = 8 * 1024 * 1024;

/// How many bytes of large answers there may be at once, until their clients have taken them.
const ANSWERS: usize = 48 * 1024 * 1024;

/// How long an HTTP API waits for a function.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(29);

/// An answer that is not there yet.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A function that answers requests.
pub type Handler = Arc<dyn Fn(lambda_http::Request) -> Pending<Reply> + Send + Sync>;

/// Something that is done before a function is called.
pub type Before = Arc<dyn Fn() -> Pending<()> + Send + Sync>;

/// The functions by the names that the routes use.
#[derive(Default)]
pub struct Handlers(HashMap<&'static str, Handler>);

impl Handlers {
    /// The same with one more function.
    #[must_use]
    pub fn with<F, R>(mut self, name: &'static str, function: F) -> Self
    where
        F: Fn(lambda_http::Request) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        self.0.insert(name, Arc::new(move |request| Box::pin(function(request))));
        self
    }

    /// The same functions; each waits for `first` before it is called.
    #[must_use]
    pub fn after(self, first: Before) -> Self {
        let after = |function: Handler| -> Handler {
            let first = Arc::clone(&first);
            Arc::new(move |request| {
                let (first, function) = (first(), Arc::clone(&function));
                Box::pin(async move {
                    first.await;
                    function(request).await
                })
            })
        };
        Self(self.0.into_iter().map(|(name, function)| (name, after(function))).collect())
    }

    fn get(&self, name: &str) -> Option<Handler> {
        self.0.get(name).map(Arc::clone)
    }
}

/// What the service says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does all that it should.
    Good,
    /// It does what it should, and is about to stop.
    Stopping,
    /// It answers what it can; an operator is needed for the rest, for that reason.
    Impaired(&'static str),
    /// It answers nothing that is of use, for that reason.
    Down(&'static str),
}

/// Finds out how the service is.
pub type HealthCheck = Arc<dyn Fn() -> Pending<Health> + Send + Sync>;

/// The gateway.
pub struct Gateway {
    routes: Routes,
    health: HealthCheck,
    domain: String,
    function_timeout: Duration,
    metrics: Arc<Metrics>,
    /// Read-locked by each function call that runs.
    in_flight: Arc<RwLock<()>>,
    bodies: Budget,
    answers: Budget,
}

impl Gateway {
    /// A gateway that serves the routes of an OpenAPI document with those functions. `domain` is its host
    /// name where a request names none.
    ///
    /// # Errors
    /// The document is unusable, or names a function that is not among the handlers.
    pub fn new(
        openapi: &str,
        handlers: &Handlers,
        health: HealthCheck,
        domain: String,
    ) -> Result<Self, BadRoutes> {
        let routes = Routes::read(openapi, handlers)?;
        Ok(Self {
            routes,
            health,
            domain,
            function_timeout: FUNCTION_TIMEOUT,
            in_flight: Arc::default(),
            metrics: Arc::default(),
            bodies: Budget::new(BODIES),
            answers: Budget::new(ANSWERS),
        })
    }

    /// The same gateway, which counts its requests there.
    #[must_use]
    pub fn counting(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Answers one request. Functions log what they answer, with more to say of it; the gateway logs the rest.
    pub async fn answer<B>(&self, request: Request<B>, client: SocketAddr) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
    {
        let started = Instant::now();
        let request_id = Uuid::new_v4().to_string();
        let (head, body) = request.into_parts();
        let (route, path_parameters) = self.routes.find(&head.method, head.uri.path());
        let answered = match &route.target {
            Target::Health => Err(self.health().await),
            Target::Readiness => Err(self.readiness().await),
            Target::Function(handler) => {
                let call = Call {
                    handler,
                    route_key: &route.key,
                    body_limit: route.body_limit,
                    path_parameters,
                    request_id: &request_id,
                    client,
                };
                self.call(&head, body, call).await.map_err(|refusal| refusal.reply())
            }
        };
        let mut response = match answered {
            Ok(response) => response,
            Err(mut own) => {
                name(&mut own, &request_id);
                let problem = own.extensions().get::<Problem>();
                tracing::info!(
                    request_id,
                    client = %client.ip(),
                    operation = route.key,
                    method = head.method.as_str(),
                    path = (route.key == DEFAULT_ROUTE).then(|| path_for_log(head.uri.path())),
                    status = own.status().as_u16(),
                    code = problem.map(|problem| problem.code.as_str()),
                    reason = problem.map(|problem| problem.reason.as_str()),
                    duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
                    "request"
                );
                own.map(|body| Full::from(bytes_of(body)))
            }
        };
        self.metrics.count_request(&route.key, &response, started.elapsed());
        if head.method == Method::HEAD {
            say_that_it_is_empty(&mut response);
        }
        response
    }

    /// Returns when no function call runs.
    pub async fn idle(&self) {
        drop(self.in_flight.write().await);
    }

    /// Whether anything is wrong, for an operator.
    async fn health(&self) -> Reply {
        match (self.health)().await {
            Health::Good | Health::Stopping => well(),
            Health::Impaired(reason) | Health::Down(reason) => unwell(reason),
        }
    }

    /// Whether requests should be sent here, for a load balancer.
    async fn readiness(&self) -> Reply {
        match (self.health)().await {
            Health::Good | Health::Impaired(_) => well(),
            Health::Stopping => unwell("The server is stopping."),
            Health::Down(reason) => unwell(reason),
        }
    }

    /// Hands a request to its function, as an event.
    async fn call<B>(&self, head: &Parts, body: B, call: Call<'_>) -> Result<Response<Full<Bytes>>, Refusal>
    where
        B: Body<Data = Bytes>,
    {
        let client_waits = head.headers.contains_key(EXPECT);
        if size_of_head(head) > MOST_HEADERS {
            // Whatever comes with them is read and thrown away, so that the client reads the answer.
            let _ = body::read(body, 0, client_waits).await;
            return Err(Refusal::HeadersTooLarge);
        }
        let (body, room) = self.read(head, body, call.body_limit, client_waits).await?;
        let source = Source {
            head,
            body: &body,
            route_key: call.route_key,
            path_parameters: &call.path_parameters,
            request_id: call.request_id,
            client: call.client,
            domain: &self.domain,
            now: OffsetDateTime::now_utc(),
        };
        let event = event::text(&source).map_err(Refusal::Malformed)?;
        if event.len() > MOST_PAYLOAD {
            return Err(Refusal::Body(BodyError::TooLarge));
        }
        drop(body);
        // The parser panics on what it cannot make a URL of.
        let request = catch_unwind(|| lambda_http::request::from_str(&event));
        let Ok(Ok(request)) = request else {
            return Err(Refusal::Malformed(Malformed::Host));
        };
        drop(event);
        let reply = self.run(call.handler, request, call.request_id, room).await?;
        self.response(reply)
    }

    /// Reads a body within the limit of its operation, and finds room for it where it is large.
    async fn read<B>(
        &self,
        head: &Parts,
        body: B,
        limit: usize,
        client_waits: bool,
    ) -> Result<(Bytes, Room), Refusal>
    where
        B: Body<Data = Bytes>,
    {
        let allowed = body_limit_of(limit, &head.headers);
        let expected = body::announced(&body).filter(|announced| *announced <= allowed);
        let Some(room) = self.bodies.take(expected.unwrap_or(allowed)) else {
            let _ = body::read(body, 0, client_waits).await;
            return Err(Refusal::Busy);
        };
        let body = body::read(body, allowed, client_waits).await;
        let body = body.map_err(|problem| match problem {
            BodyError::TooLarge => Refusal::BodyTooLarge { allowed, limit },
            other => Refusal::Body(other),
        })?;
        Ok((body, room))
    }

    /// The response to send, which takes room until the client has read it.
    fn response(&self, reply: Reply) -> Result<Response<Full<Bytes>>, Refusal> {
        let (parts, body) = reply.into_parts();
        let body = bytes_of(body);
        let room = self.answers.take(body.len()).ok_or(Refusal::Busy)?;
        Ok(Response::from_parts(parts, Full::from(room.hold(body))))
    }

    /// Runs a function to its end, even if the client goes away, as Lambda does.
    async fn run(
        &self,
        handler: &Handler,
        request: lambda_http::Request,
        request_id: &str,
        room: Room,
    ) -> Result<Reply, Refusal> {
        let running = Arc::clone(&self.in_flight).read_owned().await;
        let handler = Arc::clone(handler);
        let mut task = tokio::spawn(async move {
            let reply = traced(request, |request| handler(request)).await;
            drop((running, room));
            reply
        });
        match tokio::time::timeout(self.function_timeout, &mut task).await {
            Ok(Ok(reply)) if size_of_answer(&reply) <= MOST_PAYLOAD => Ok(reply),
            Ok(Ok(_)) => {
                tracing::error!(request_id, "the function's answer is larger than 6 MB");
                Err(Refusal::Failed)
            }
            Ok(Err(_)) => {
                tracing::error!(request_id, "the function panicked");
                Err(Refusal::Failed)
            }
            Err(_) => {
                task.abort();
                tracing::error!(request_id, "the function did not answer in time");
                Err(Refusal::TimedOut)
            }
        }
    }
}

fn well() -> Reply {
    facade::json(StatusCode::OK, &serde_json::json!({ "status": "ok" }))
}

/// The answer with a reason. When it will be better is not known.
fn unwell(reason: &str) -> Reply {
    let mut reply = facade::error(StatusCode::SERVICE_UNAVAILABLE, "IMG.0061", reason);
    reply.headers_mut().remove(RETRY_AFTER);
    reply
}

/// Whom a request is for, and what the event says of it besides its contents.
struct Call<'a> {
    handler: &'a Handler,
    route_key: &'a str,
    body_limit: usize,
    path_parameters: Vec<(&'a str, &'a str)>,
    request_id: &'a str,
    client: SocketAddr,
}

/// Says the length of an empty body in the answer to `HEAD`, as in that to `GET`; hyper leaves it out.
fn say_that_it_is_empty(response: &mut Response<Full<Bytes>>) {
    if response.body().is_end_stream() && response.status() != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

/// Puts the request's id on an answer, by both names that clients look for.
fn name(reply: &mut Reply, request_id: &str) {
    for (name, id) in [
        ("x-request-id", HeaderValue::from_str(request_id)),
        ("x-openstack-request-id", HeaderValue::try_from(format!("req-{request_id}"))),
    ] {
        reply.headers_mut().extend(id.ok().map(|id| (HeaderName::from_static(name), id)));
    }
}

/// Bytes of request line and headers, without the separators.
fn size_of_head(head: &Parts) -> usize {
    let line = head.method.as_str().len() + head.uri.path().len() + head.uri.query().map_or(0, str::len);
    line + head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>()
}

/// Bytes of a function's answer as Lambda counts them: binary is passed in base64.
fn size_of_answer(reply: &Reply) -> usize {
    match reply.body() {
        lambda_http::Body::Text(text) => text.len(),
        lambda_http::Body::Binary(bytes) => bytes.len().div_ceil(3) * 4,
        _ => 0,
    }
}

fn bytes_of(body: lambda_http::Body) -> Vec<u8> {
    match body {
        lambda_http::Body::Text(text) => text.into_bytes(),
        lambda_http::Body::Binary(bytes) => bytes,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
