//! `GET /v1/share-rules/{rule_name}/jobs`: list the jobs that a share rule has made, the newest first.

use http::StatusCode;
use serde::Serialize;

use super::wire::path_rule;
use crate::domain::JobId;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, Query, json_response};
use crate::store::ShareRuleJob;
use crate::usecases::share_rules;

/// The operation's route.
pub const ROUTE: &str = "GET /v1/share-rules/{rule_name}/jobs";

/// `?limit=&marker=` in, `{"jobs":[{"job_id","cause","created_at"}],"page_info":{…}}` out. A job itself is shown by
/// the routes for jobs.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    jobs(request).await.unwrap_or_else(ApiError::into_response)
}

/// A job of a rule in a response.
#[derive(Debug, Serialize)]
struct JobJson {
    job_id: String,
    cause: &'static str,
    created_at: String,
}

impl From<&ShareRuleJob> for JobJson {
    fn from(made: &ShareRuleJob) -> Self {
        Self {
            job_id: made.job.to_string(),
            cause: made.cause.as_str(),
            created_at: made.job.0.time().to_iso_millis(),
        }
    }
}

async fn jobs(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let (name, query) = (path_rule(request)?, Query::parse(request.raw_query())?);
    let listing = Listing::new(ROUTE, request.caller()).with(name.as_str());
    let before: Option<JobId> = query.parse_marker(&listing)?;
    let page = share_rules::jobs(&request.app, request.caller(), &name, before, query.limit()?).await?;
    let body = PageBody::new("jobs", &page, &listing, JobJson::from);
    Ok(json_response(StatusCode::OK, &body))
}
