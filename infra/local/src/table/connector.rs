//! Answers an AWS SDK client from the embedded database: the SDK's HTTP client without a socket.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::DynoxideError;
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;

use super::Opened;
use super::lanes::{Gone, Lane, Lanes};

/// The embedded database as one lane of it is seen by an SDK client.
#[derive(Clone)]
pub(super) struct InProcess {
    pub(super) lanes: Arc<Lanes<Opened>>,
    pub(super) lane: Lane,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").field("lane", &self.lane).finish_non_exhaustive()
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move { this.answer(&request).await })
    }
}

/// Why a call has no 200 answer.
enum Failure {
    Database(DynoxideError),
    Gone(Gone),
}

impl From<DynoxideError> for Failure {
    fn from(error: DynoxideError) -> Self {
        Self::Database(error)
    }
}

impl InProcess {
    async fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let (status, json) = match self.dispatch(operation, body).await {
            Ok(json) => (200, json),
            Err(Failure::Database(error)) => (error.status_code(), error.to_json().into_bytes()),
            Err(Failure::Gone(gone)) => return Err(ConnectorError::other(gone.into(), None)),
        };
        let status =
            StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
        Ok(HttpResponse::new(status, SdkBody::from(json)))
    }

    /// Runs one DynamoDB operation. Only the operation itself has to wait for its turn: reading the request and
    /// writing the answer happen on the caller's thread.
    async fn dispatch(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        macro_rules! route {
            ($($name:literal => $method:ident $(($prepare:expr))?),* $(,)?) => {
                match operation {
                    $($name => {
                        let request = serde_json::from_slice(body).map_err(|error| rejected(&error))?;
                        $(let request = $prepare(request);)?
                        let answer = self.lanes.run(self.lane, move |opened| opened.database.$method(request));
                        let answer = answer.await.map_err(Failure::Gone)??;
                        serde_json::to_vec(&answer)
                            .map_err(|error| DynoxideError::InternalServerError(error.to_string()).into())
                    })*
                    _ => Err(DynoxideError::ValidationException(format!("unsupported: {operation}")).into()),
                }
            };
        }
        route! {
            "CreateTable" => create_table,
            "DescribeTable" => describe_table,
            "DeleteTable" => delete_table,
            "UpdateTimeToLive" => update_time_to_live,
            "DescribeTimeToLive" => describe_time_to_live,
            "GetItem" => get_item,
            "PutItem" => put_item,
            "UpdateItem" => update_item,
            "DeleteItem" => delete_item,
            "Query" => query,
            "Scan" => scan,
            "BatchGetItem" => batch_get_item,
            "BatchWriteItem" => batch_write_item,
            "TransactWriteItems" => transact_write_items(without_token),
            "TransactGetItems" => transact_get_items,
        }
    }
}

/// Takes out the token that lets DynamoDB recognise a transaction which the SDK sends again because its answer was lost.
/// Here no answer is lost, and the database looks through the tokens of ten minutes at every transaction.
fn without_token(request: TransactWriteItemsRequest) -> TransactWriteItemsRequest {
    TransactWriteItemsRequest { client_request_token: None, ..request }
}

/// Checks that the database makes while it decodes a request surface as marked decoding errors.
fn rejected(error: &serde_json::Error) -> DynoxideError {
    let text = error.to_string();
    match text.strip_prefix("VALIDATION:") {
        Some(message) => DynoxideError::ValidationException(message.to_owned()),
        None => DynoxideError::SerializationException(text),
    }
}
