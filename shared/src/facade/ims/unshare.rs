//! `DELETE /v1/cloudimages/members`: unshare images, in a DELETE with a body (`contract/ims.md` 1.3).

use super::batch::{Batch, job_response};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, idempotency};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v1/cloudimages/members";

/// `{"images":[…],"projects":[…],"accounts":[…]}` in, `{"job_id":"…"}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    unshare(request).await.unwrap_or_else(ApiError::into_response)
}

async fn unshare(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let batch = Batch::parse(request.body())?;
    let idempotency = idempotency::parse_header(request, &batch)?;
    let Batch { images, tenants } = batch;
    Ok(job_response(usecases::unshare(&request.app, request.caller(), images, tenants, idempotency).await?))
}
