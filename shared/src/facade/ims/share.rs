//! `POST /v1/cloudimages/members`: share images (seed 003, `contract/ims.md` 1.1).

use super::batch::{Batch, job_response};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, idempotency};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "POST /v1/cloudimages/members";

/// `{"images":[…],"projects":[…],"accounts":[…]}` in, `{"job_id":"…"}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    share(request).await.unwrap_or_else(ApiError::into_response)
}

async fn share(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let batch = Batch::parse(request.body())?;
    let idempotency = idempotency::parse_header(request, &batch)?;
    let Batch { images, tenants } = batch;
    Ok(job_response(usecases::share(&request.app, request.caller(), images, tenants, idempotency).await?))
}
