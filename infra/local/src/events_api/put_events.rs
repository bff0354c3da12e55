//! `POST /events`, `X-Amz-Target: AWSEvents.PutEvents`: put up to ten events on the bus.

use std::sync::Arc;

use http::StatusCode;
use image_events::EventError;
use imageshare::App;
use imageshare::auth::signature;
use imageshare::domain::{Caller, CloudAccountId, authorize_admin, authorize_write_for};
use imageshare::http::{ApiError, AuthenticatedRequest, HttpResponse};
use imageshare::usecases;
use serde::Deserialize;
use serde_json::{Value, json};

use super::entry::{Entry, EntryError, MAX_BYTES, SentEntry};
use super::error::{CallError, aws_response};
use crate::bus::LocalBus;
use crate::functions::CURRENT_FUNCTION;

/// The header that names the call.
pub(super) const TARGET: &str = "x-amz-target";

/// The most entries of a call.
const MAX_ENTRIES: usize = 10;

/// The body of a call.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Call {
    entries: Vec<SentEntry>,
}

/// `{"Entries":[{"Source","DetailType","Detail",…}]}` in, `{"FailedEntryCount","Entries":[{"EventId"}]}` out; an entry
/// that was not put has `ErrorCode` and `ErrorMessage`. Costs one read for the caller's account, and for each entry what
/// [`image_events::handle`] costs.
pub(super) async fn handle(bus: &Arc<LocalBus>, request: &AuthenticatedRequest) -> HttpResponse {
    match put_events(bus, request).await {
        Ok(body) => aws_response(StatusCode::OK, &body),
        Err(error) => error.into_response(),
    }
}

async fn put_events(bus: &Arc<LocalBus>, request: &AuthenticatedRequest) -> Result<Value, CallError> {
    let entries = parse(request)?;
    let sender = Sender::new(request).await?;
    let now = request.app.clock().now();
    let mut results = Vec::with_capacity(entries.len());
    for entry in entries {
        results.push(match entry.check(now) {
            Ok(entry) => sender.put(&request.app, bus, entry).await,
            Err(error) => Err(error),
        });
    }
    let failed = results.iter().filter(|result| result.is_err()).count();
    let results = results.into_iter().map(|result| match result {
        Ok(id) => json!({"EventId": id}),
        Err(EntryError { code, message }) => json!({"ErrorCode": code, "ErrorMessage": message}),
    });
    Ok(json!({"FailedEntryCount": failed, "Entries": results.collect::<Vec<_>>()}))
}

fn parse(request: &AuthenticatedRequest) -> Result<Vec<SentEntry>, CallError> {
    let target = request.raw_header(TARGET).unwrap_or_default();
    if target != b"AWSEvents.PutEvents" {
        let message = "The only call is AWSEvents.PutEvents, in the header X-Amz-Target.";
        return Err(CallError::new("UnknownOperationException", message));
    }
    let call: Call = serde_json::from_slice(request.body())
        .map_err(|problem| CallError::new("SerializationException", format!("{problem}.")))?;
    if !(1..=MAX_ENTRIES).contains(&call.entries.len()) {
        return Err(CallError::validation("Entries: expected 1 to 10 entries. Send more in several calls."));
    }
    if call.entries.iter().map(SentEntry::bytes).sum::<usize>() > MAX_BYTES {
        let message = "Total size of the entries in the request is over the limit of 262144 bytes.";
        return Err(CallError::validation(message));
    }
    Ok(call.entries)
}

/// The sender of events: the accounts that it may speak for.
struct Sender {
    caller: Caller,
    own_account: Option<CloudAccountId>,
    is_admin: bool,
    region: String,
}

impl Sender {
    async fn new(request: &AuthenticatedRequest) -> Result<Self, CallError> {
        let caller = request.caller().clone();
        authorize_write_for(&caller, &caller.tenant)
            .map_err(|denied| CallError::new("AccessDeniedException", format!("{denied}.")))?;
        let entry = usecases::own_entry(&request.app, &caller).await;
        let entry = entry.map_err(|problem| CallError::of_service(ApiError::from(problem)))?;
        let own_account = entry.and_then(|entry| entry.cloud_account);
        let is_admin = authorize_admin(&caller).is_ok();
        if own_account.is_none() && !is_admin {
            let message = format!(
                "Project {} is bound to no cloud account, so its events name none. An admin binds it: PUT \
                 /v1/tenants/{0} with cloud_account.",
                caller.tenant
            );
            return Err(CallError::new("AccessDeniedException", message));
        }
        let region = signature::aws_region(request.headers()).map(str::to_owned);
        let region = region.unwrap_or_else(|| request.app.settings.region.clone());
        Ok(Self { caller, own_account, is_admin, region })
    }

    /// Handles an entry, and then puts it on the bus. Returns its id.
    async fn put(&self, app: &App, bus: &LocalBus, entry: Entry) -> Result<String, EntryError> {
        let account = self.account(&entry)?;
        if entry.source == image_events::OWN_SOURCE {
            let message = "Not authorized for the source.";
            return Err(EntryError::new("NotAuthorizedForSourceException", message));
        }
        let id = entry.id.clone();
        let event = entry.into_event(&account, &self.region);
        let handled = image_events::handle(app, event.clone());
        match CURRENT_FUNCTION.scope("image-events", handled).await {
            Ok(_) => {
                bus.put(&event);
                Ok(id)
            }
            Err(problem) => Err(self.entry_error(&problem)),
        }
    }

    /// The account that an entry is from.
    fn account(&self, entry: &Entry) -> Result<CloudAccountId, EntryError> {
        let denied = |message| EntryError::new("AccessDeniedException", message);
        match (&entry.account, &self.own_account) {
            (Some(named), Some(own)) if named == own => Ok(own.clone()),
            (Some(named), _) if self.is_admin => Ok(named.clone()),
            (None, Some(own)) => Ok(own.clone()),
            (Some(_), _) => Err(denied("The project is not bound to the account of this bus.")),
            (None, None) => Err(denied("Name the account: EventBusName with the ARN of its bus.")),
        }
    }

    fn entry_error(&self, problem: &EventError) -> EntryError {
        tracing::warn!(tenant = %self.caller.tenant, %problem, "an event was not handled");
        if problem.is_transient() {
            return EntryError::new("InternalFailure", "The event was not handled. Put it again.");
        }
        match problem {
            EventError::Store(_) => EntryError::new("InternalFailure", "The event could not be handled."),
            other => EntryError::new("InvalidArgument", format!("{other}.")),
        }
    }
}
