//! One call with its retries.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::transport::{ExchangeError, Response, Transport, header_text};
use super::{ApiError, Call, ErrorKind, RetryPolicy, Secret, retry};

const AGENT: &str = concat!("terraform-provider-imageshare/", env!("CARGO_PKG_VERSION"));
const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
const SUBJECT_TOKEN: HeaderName = HeaderName::from_static("x-subject-token");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REQUEST_ID: &str = "x-request-id";

/// Sends calls to one server.
pub(super) struct Sender {
    endpoint: String,
    transport: Transport,
    policy: RetryPolicy,
    call_timeout: Duration,
}

/// A call on its way: what its attempts have in common.
pub(super) struct Attempts<'a> {
    sender: &'a Sender,
    call: &'a Call,
    idempotency_key: Option<HeaderValue>,
    deadline: Instant,
    retries: u32,
}

/// What one attempt ended with.
enum Attempt {
    Final(Response),
    Retry { error: ApiError, after: Option<Duration> },
    Failed(ApiError),
}

impl Sender {
    pub(super) fn new(
        endpoint: &Uri,
        policy: RetryPolicy,
        exchange_timeout: Duration,
        call_timeout: Duration,
    ) -> Result<Self, String> {
        let transport = Transport::new(endpoint, exchange_timeout)?;
        let endpoint = endpoint.to_string().trim_end_matches('/').to_owned();
        Ok(Self { endpoint, transport, policy, call_timeout })
    }

    /// Begins a call. Its attempts share one key and one deadline, also across a renewal of the token.
    pub(super) fn begin<'a>(&'a self, call: &'a Call) -> Attempts<'a> {
        let new_key = || HeaderValue::from_str(&Uuid::new_v4().to_string()).ok();
        Attempts {
            sender: self,
            call,
            idempotency_key: call.has_key.then(new_key).flatten(),
            deadline: Instant::now() + self.call_timeout,
            retries: 0,
        }
    }
}

impl Attempts<'_> {
    /// Sends the call until there is a response that a retry would not change, and returns that. A 401 is returned at
    /// once, so that the token can be renewed.
    ///
    /// # Errors
    /// [`ApiError`] if there is no such response after the retries, or before the deadline.
    pub(super) async fn send(&mut self, token: Option<&Secret>) -> Result<Response, ApiError> {
        loop {
            let (error, after) = match self.attempt(token).await {
                Attempt::Final(response) => return Ok(response),
                Attempt::Failed(error) => return Err(error),
                Attempt::Retry { error, after } => (error, after),
            };
            if self.retries >= self.sender.policy.max_retries {
                return Err(error);
            }
            let pause = self.sender.policy.pause(self.retries, after, fastrand::f64());
            if Instant::now() + pause > self.deadline {
                return Err(error);
            }
            self.retries += 1;
            tracing::debug!(call = self.call.name(), %error, pause_ms = millis(pause), "the call is tried again");
            sleep(pause).await;
        }
    }

    async fn attempt(&self, token: Option<&Secret>) -> Attempt {
        let request = match self.request(token) {
            Ok(request) => request,
            Err(error) => return Attempt::Failed(error),
        };
        let begin = Instant::now();
        match self.sender.transport.exchange(request).await {
            Ok(response) => {
                let request_id = header_text(&response.headers, REQUEST_ID);
                tracing::debug!(
                    call = self.call.name(),
                    status = response.status.as_u16(),
                    request_id,
                    bytes = response.body.len(),
                    duration_ms = millis(begin.elapsed()),
                    "response"
                );
                if response.status.is_success() {
                    return Attempt::Final(response);
                }
                let error = error_of(&response, self.call, None);
                if !retry::is_retryable(response.status) && !error.is_lost_race() {
                    return Attempt::Final(response);
                }
                let after = retry::retry_after(&response.headers, SystemTime::now());
                // What was refused for that was not executed; after any other response the call may have been.
                let was_refused = error.kind == ErrorKind::Throttled || error.is_lost_race();
                if self.call.is_repeatable() || was_refused {
                    Attempt::Retry { error, after }
                } else {
                    Attempt::Failed(error)
                }
            }
            Err(problem) => self.without_response(problem),
        }
    }

    fn without_response(&self, problem: ExchangeError) -> Attempt {
        let endpoint = &self.sender.endpoint;
        let fail = |kind, message| ApiError::local(kind, message, self.call.name());
        let (error, was_sent) = match problem {
            ExchangeError::NotSent(cause) => (
                fail(ErrorKind::Unreachable, format!("There is no connection to {endpoint}: {cause}.")),
                false,
            ),
            ExchangeError::Lost(cause) => {
                (fail(ErrorKind::Unreachable, format!("The connection to {endpoint} broke: {cause}.")), true)
            }
            ExchangeError::TimedOut => {
                (fail(ErrorKind::TimedOut, format!("{endpoint} did not respond in time.")), true)
            }
            ExchangeError::TooLarge => {
                let message = format!("The response of {endpoint} is too large: check endpoint.");
                return Attempt::Failed(fail(ErrorKind::UnexpectedResponse, message));
            }
        };
        if was_sent && !self.call.is_repeatable() {
            return Attempt::Failed(error);
        }
        Attempt::Retry { error, after: None }
    }

    fn request(&self, token: Option<&Secret>) -> Result<Request<Full<Bytes>>, ApiError> {
        let call = self.call;
        let (media_type, body) = match &call.body {
            Some((media_type, body)) => (Some(*media_type), Bytes::copy_from_slice(body)),
            None => (None, Bytes::new()),
        };
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.sender.endpoint, call.target))
            .header(USER_AGENT, AGENT);
        if let Some(media_type) = media_type {
            request = request.header(CONTENT_TYPE, media_type);
        }
        if let Some(key) = &self.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        for (name, token) in [(AUTH_TOKEN, token), (SUBJECT_TOKEN, call.subject_token.as_ref())] {
            if let Some(token) = token {
                let mut value = HeaderValue::from_str(token.expose()).map_err(|_| {
                    let message = "The token has characters that no token has: check it for line breaks.";
                    ApiError::local(ErrorKind::Unauthorized, message, call.name())
                })?;
                value.set_sensitive(true);
                request = request.header(name, value);
            }
        }
        request.body(Full::new(body)).map_err(|problem| {
            ApiError::local(ErrorKind::Invalid { field: None }, format!("{problem}."), call.name())
        })
    }
}

/// The error of a response that is not a success.
pub(super) fn error_of(response: &Response, call: &Call, project: Option<String>) -> ApiError {
    let request_id = header_text(&response.headers, REQUEST_ID);
    ApiError::of_response(response.status, &response.body, request_id, call.name(), project)
}

/// The error of a success whose body cannot be read.
pub(super) fn unreadable(problem: &serde_json::Error, response: &Response, call: &Call) -> ApiError {
    ApiError::unreadable(problem, header_text(&response.headers, REQUEST_ID), call.name())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
