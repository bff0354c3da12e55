//! `GET /v1/messages/{message_id}`: show a message.

use http::StatusCode;

use super::path_message;
use super::view::{MessageBody, MessageJson};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/messages/{message_id}";

/// `{"message":{…}}` out. It stays unread.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).await.unwrap_or_else(ApiError::into_response)
}

async fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let view = usecases::show_message(&request.app, request.caller(), &path_message(request)?).await?;
    let message = MessageJson::new(&view, &request.caller().tenant, &request.base_url());
    Ok(json_response(StatusCode::OK, &MessageBody { message }))
}
