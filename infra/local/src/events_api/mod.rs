//! The API of the server's event bus, which only a server has: on AWS it is EventBridge's.
//!
//! * `POST /events` takes EventBridge's `PutEvents`, as the AWS CLI and SDKs send it with `--endpoint-url`. The caller signs
//!   with an access key, or sends a token. What it puts is handled by the function `image-events` before the response, so
//!   that what was acknowledged is stored.
//! * `GET /events` returns what is on the bus, to admins: the events of every tenant are there.
//!
//! On AWS the bus sets an event's account, and nobody can put one for another. Here it is the account that the caller's
//! project is bound to in the directory. Only an admin can put events for another account, by the ARN of its bus.

mod entry;
mod error;
mod follow;
mod put_events;

use std::sync::Arc;

use imageshare::facade;
use imageshare::function::HttpFunction;
use imageshare::http::{HttpResponse, route_key};
use tokio::sync::Semaphore;

use crate::bus::LocalBus;
use crate::gateway::EVENTS_BODY_LIMIT;

/// The most readers that wait for events at the same time.
const MAX_WAITING: usize = 64;

/// The name of EventBridge in signatures.
const SERVICE: &str = "events";

/// The API.
#[derive(Debug)]
pub struct EventsApi {
    function: HttpFunction,
    bus: Arc<LocalBus>,
    waiting: Semaphore,
}

impl EventsApi {
    /// Creates the API of a bus. `function` has the table, and authenticates the callers.
    pub fn new(function: HttpFunction, bus: Arc<LocalBus>) -> Self {
        Self { function, bus, waiting: Semaphore::new(MAX_WAITING) }
    }

    /// Handles one request.
    pub async fn handle(&self, request: lambda_http::Request) -> HttpResponse {
        if route_key(&request).starts_with("GET ") {
            let follow = async |request: &_| follow::handle(&self.bus, &self.waiting, request).await;
            return self.function.handle(request, facade::reject, follow).await;
        }
        let incoming = match self.function.receive_up_to(request, EVENTS_BODY_LIMIT) {
            Ok(incoming) => incoming,
            Err(rejected) => {
                let response = error::reject(&rejected);
                return rejected.finish(response);
            }
        };
        match self.function.authenticate_aws(incoming, SERVICE).await {
            Ok(request) => {
                let response = put_events::handle(&self.bus, &request).await;
                request.finish(response)
            }
            Err(rejected) => {
                let response = error::reject(&rejected);
                rejected.finish(response)
            }
        }
    }
}
