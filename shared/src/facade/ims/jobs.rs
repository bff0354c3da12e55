//! `GET /v1/{project_id}/jobs`: list the jobs of a project, the newest first. This service only, in the words of the job
//! itself ([`super::job`]).

use http::StatusCode;
use serde::Serialize;

use super::job::{JobJson, kind_name, status_name};
use crate::domain::{Denied, JobKind, JobReport, JobStatus};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, Query, json_response};
use crate::usecases::{self, JobQuery};

/// The operation's route.
pub const ROUTE: &str = "GET /v1/{project_id}/jobs";

/// `?status=&job_type=&limit=&marker=` in; `{"jobs":[{"job_id","job_type","status","begin_time","end_time","error_code",
/// "fail_reason","entities":{…}}],"page_info":{"next_marker","current_count"}}` out. `entities` has the progress and
/// counts, and no results. 404 if the path has another project, unless the caller is an admin.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let project = request.path_parameter("project_id").parse().map_err(|_| Denied::JobNotFound)?;
    let parameters = Query::parse(request.raw_query())?;
    let all = JobQuery::all(project);
    let query = JobQuery { kind: parse_kind(&parameters)?, status: parse_status(&parameters)?, ..all };
    let listing = listing(request, &query);
    let (before, limit) = (parameters.parse_marker(&listing)?, parameters.batch_limit()?);
    let page = usecases::list_jobs(&request.app, request.caller(), &query, before, limit).await?;
    let job = |report| JobJson::new(report, Counts::new(report));
    Ok(json_response(StatusCode::OK, &PageBody::new("jobs", &page, &listing, job)))
}

fn parse_kind(parameters: &Query) -> Result<Option<JobKind>, ApiError> {
    parameters.one_of("job_type", &JobKind::ALL.map(|kind| (kind_name(kind), kind)))
}

fn parse_status(parameters: &Query) -> Result<Option<JobStatus>, ApiError> {
    let all = [JobStatus::Init, JobStatus::Running, JobStatus::Success, JobStatus::Fail];
    parameters.one_of("status", &all.map(|status| (status_name(status), status)))
}

/// Identifies the list, for its markers: they are valid for the same project and filters only.
fn listing(request: &AuthenticatedRequest, query: &JobQuery) -> Listing {
    let listing = Listing::new(ROUTE, request.caller()).with(query.project.as_str());
    let filters = [query.kind.map(kind_name), query.status.map(status_name)];
    filters.into_iter().flatten().fold(listing, Listing::with)
}

/// The progress of a job in numbers.
#[derive(Debug, Serialize)]
struct Counts {
    process_percent: usize,
    images: usize,
    projects: usize,
    pairs: usize,
    done: usize,
    failed: usize,
}

impl Counts {
    fn new(report: &JobReport) -> Self {
        Self {
            process_percent: report.percent(),
            images: report.image_count(),
            projects: report.job.tenants.len(),
            pairs: report.pair_count(),
            done: report.done_count(),
            failed: report.failed_count(),
        }
    }
}
