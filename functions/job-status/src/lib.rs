//! The function `job-status`: a job with the outcome of every pair, its progress alone, and a project's jobs.

use imageshare::facade::{self, ims};
use imageshare::function::HttpFunction;
use imageshare::http::{AuthenticatedRequest, HttpResponse};
use lambda_http::Request;

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    function.handle(request, facade::reject, dispatch).await
}

async fn dispatch(request: &AuthenticatedRequest) -> HttpResponse {
    match request.route() {
        ims::job::ROUTE => ims::job::handle(request).await,
        ims::jobs::ROUTE => ims::jobs::handle(request).await,
        ims::job::PROGRESS_ROUTE => ims::job::handle_progress(request).await,
        _ => ims::route_not_found(""),
    }
}
