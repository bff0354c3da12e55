//! `GET /v1/{project_id}/jobs/{job_id}` and `GET /v1/cloudimages/job/{job_id}`: show a job (`contract/ims.md` 1.4).
//!
//! Clients look at `status` alone, and report `FAIL` with `fail_reason`. So a job is `FAIL` if any pair failed, and the
//! reason names the first failed pair and counts the others (`contract/decisions.md` 2 to 4). A pair that a later
//! request decided is `overtaken`, which is not a failure (decision 26).

use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use crate::domain::{
    Denied, JobId, JobKind, JobReport, JobStatus, Outcome, PairResult, Task, Transition, authorize_job_path,
};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, Query, json_response, parse_wait};
use crate::usecases::{self, outcome_error};

/// The route of the older call, with the result of each pair.
pub const ROUTE: &str = "GET /v1/{project_id}/jobs/{job_id}";

/// The route of the newer call, without results.
pub const PROGRESS_ROUTE: &str = "GET /v1/cloudimages/job/{job_id}";

/// The maximum number of listed results: the pairs of the largest batch. A job that accepts or rejects everything may
/// have more; then the failed pairs come first. A function's response is limited to 6 MB.
const MAX_RESULTS: usize = 10_000;

/// The job, with the results of the pairs that are done. 404 if the path has another project, unless the caller is an
/// admin.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    if let Err(denied) = authorize_job_path(request.caller(), request.path_parameter("project_id")) {
        return ApiError::from(denied).into_response();
    }
    job_response(request, results_entities).await
}

/// The job, with its progress in percent.
pub async fn handle_progress(request: &AuthenticatedRequest) -> HttpResponse {
    job_response(request, progress_entities).await
}

async fn job_response(
    request: &AuthenticatedRequest,
    entities: fn(&JobReport) -> Entities<'_>,
) -> HttpResponse {
    match load_report(request).await {
        Ok(report) => json_response(StatusCode::OK, &JobJson::new(&report, entities(&report))),
        Err(error) => error.into_response(),
    }
}

async fn load_report(request: &AuthenticatedRequest) -> Result<JobReport, ApiError> {
    request.ensure_no_body()?;
    let (app, caller) = (&request.app, request.caller());
    let wait = requested_wait(request.raw_query())?;
    let id = request.path_parameter("job_id").parse::<JobId>().map_err(|_| Denied::JobNotFound)?;
    match wait {
        Some(timeout) => Ok(usecases::wait_for_job(app, caller, id, timeout).await?),
        None => Ok(usecases::job_status(app, caller, id).await?),
    }
}

/// Parses `?wait=`, the service's own parameter. No other one is read.
fn requested_wait(query: &str) -> Result<Option<Duration>, ApiError> {
    if !query.contains("wait=") {
        return Ok(None);
    }
    Query::parse(query)?.text("wait").map(parse_wait).transpose()
}

#[derive(Serialize)]
pub(super) struct JobJson<E> {
    job_id: String,
    job_type: &'static str,
    status: &'static str,
    begin_time: String,
    end_time: Option<String>,
    error_code: Option<&'static str>,
    fail_reason: Option<String>,
    entities: E,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entities<'a> {
    Results {
        process_percent: usize,
        results: Vec<ResultJson<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        results_omitted: Option<usize>,
    },
    Progress {
        process_percent: usize,
        #[serde(rename = "subJobId")]
        sub_job_id: &'static str,
    },
}

#[derive(Serialize)]
struct ResultJson<'a> {
    image_id: &'a str,
    project_id: &'a str,
    status: &'static str,
    /// What the request changed, if the pair is as requested. This service only.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_msg: Option<&'static str>,
}

/// The progress of a job, and the results of its pairs.
fn results_entities(report: &JobReport) -> Entities<'_> {
    let omitted = report.done_count().saturating_sub(MAX_RESULTS);
    let pairs: Vec<_> = if omitted == 0 {
        report.results().collect()
    } else {
        let (failed, done): (Vec<_>, Vec<_>) =
            report.results().partition(|result| result.outcome.is_failure());
        failed.into_iter().chain(done).take(MAX_RESULTS).collect()
    };
    let results = pairs.into_iter().map(|PairResult { image, tenant, outcome, transition }| {
        let error = outcome_error(outcome, &report.job.task);
        ResultJson {
            image_id: image.as_str(),
            project_id: tenant.as_str(),
            status: match outcome {
                Outcome::Done => "success",
                Outcome::Superseded => "overtaken",
                _ => "failed",
            },
            outcome: transition.map(|transition| outcome_name(transition, &report.job.task)),
            error_code: error.map(|(code, _)| code),
            error_msg: error.map(|(_, message)| message),
        }
    });
    Entities::Results {
        process_percent: report.percent(),
        results: results.collect(),
        results_omitted: (omitted > 0).then_some(omitted),
    }
}

/// What a request of this task changed, as clients read it.
fn outcome_name(transition: Transition, task: &Task) -> &'static str {
    match (transition, task) {
        (Transition::Began, _) => "shared",
        (Transition::BeganAgain, _) => "shared_again",
        (Transition::Accepted, _) => "accepted",
        (Transition::Rejected, _) => "rejected",
        (Transition::Ended, _) => "removed",
        (Transition::Unchanged, Task::Unshare) => "was_absent",
        (Transition::Unchanged, _) => "unchanged",
    }
}

/// The progress of a job.
fn progress_entities(report: &JobReport) -> Entities<'_> {
    Entities::Progress { process_percent: report.percent(), sub_job_id: "" }
}

impl<E> JobJson<E> {
    pub(super) fn new(report: &JobReport, entities: E) -> Self {
        let (error_code, fail_reason) = first_failure(report).unzip();
        Self {
            job_id: report.job.id.to_string(),
            job_type: kind_name(report.job.task.kind().unwrap_or(JobKind::Respond)),
            status: status_name(report.status()),
            begin_time: report.job.accepted_at.to_iso_millis(),
            end_time: report.ended_at().map(|end| end.max(report.job.accepted_at).to_iso_millis()),
            error_code,
            fail_reason,
            entities,
        }
    }
}

/// The kind of a job, as clients read it. A job that nobody has requested updates members, as a decision does.
pub(super) fn kind_name(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Share => "imsAddImageMembersJob",
        JobKind::Unshare => "imsDelImageMembersJob",
        JobKind::Respond => "imsUpdateImageMembersJob",
    }
}

/// The status of a job, as clients read it.
pub(super) fn status_name(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Init => "INIT",
        JobStatus::Running => "RUNNING",
        JobStatus::Success => "SUCCESS",
        JobStatus::Fail => "FAIL",
    }
}

/// The code of the first failure, and the sentence that clients show. `None` while the job runs, and if nothing failed.
fn first_failure(report: &JobReport) -> Option<(&'static str, String)> {
    report.ended_at()?;
    let Some((image, tenant, outcome)) = report.failures().next() else {
        // The job failed, but its report names no failed pair.
        let outcome = (report.status() == JobStatus::Fail).then_some(Outcome::RetriesExhausted)?;
        return outcome_error(outcome, &report.job.task).map(|(code, message)| (code, message.to_owned()));
    };
    let (code, message) = outcome_error(outcome, &report.job.task)?;
    let (failed, all) = (report.failures().count(), report.done_count());
    let first = format!("image {image}, project {tenant}: {message}");
    Some((code, if all == 1 { first } else { format!("{failed} of {all} failed. The first: {first}") }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Job, Outcome, Stamp, Status, Timestamp, WorkItem};

    fn report(outcomes: &[Outcome], finished: bool) -> JobReport {
        let job = Job {
            id: JobId(Stamp::first_of(Timestamp::from_unix_millis(1_730_874_600_778))),
            creator: "own1".parse().unwrap(),
            task: Task::Share,
            images: vec!["img".parse().unwrap()],
            tenants: vec!["a".parse().unwrap(), "b".parse().unwrap()],
            accepted_at: Timestamp::from_unix_millis(1_730_874_600_778),
            queues: Vec::new(),
            may_repeat: false,
        };
        let finished = finished.then(|| Timestamp::from_unix_millis(1_730_874_603_179));
        let work_item = WorkItem {
            number: 0,
            pairs: 0..2,
            found_images: Vec::new(),
            outcomes: outcomes.to_vec(),
            transitions: Vec::new(),
            finished_at: finished,
            attempts: 0,
        };
        JobReport { job, work_items: vec![work_item] }
    }

    fn wire(report: &JobReport) -> serde_json::Value {
        serde_json::to_value(JobJson::new(report, results_entities(report))).unwrap()
    }

    #[test]
    fn wait_is_the_only_parameter_that_is_read() {
        let seconds = |query| requested_wait(query).unwrap().map(|wait| wait.as_secs());
        assert_eq!((seconds("wait=20"), seconds("a=b&wait=1")), (Some(20), Some(1)));
        for ignored in ["", "limit=1&limit=2", "name=%FF", "await=7", "wait"] {
            assert_eq!(seconds(ignored), None, "{ignored}");
        }
        for bad in ["wait=0", "wait=21", "wait=", "wait=soon", "wait=1&wait=1"] {
            assert!(format!("{:?}", requested_wait(bad).unwrap_err()).contains("wait: expected"), "{bad}");
        }
    }

    #[test]
    fn successful_job_matches_the_vendor_example() {
        let done = wire(&report(&[Outcome::Done, Outcome::Done], true));
        assert_eq!(done["job_type"], "imsAddImageMembersJob");
        assert_eq!(
            (&done["begin_time"], &done["end_time"]),
            (&"2024-11-06T06:30:00.778Z".into(), &"2024-11-06T06:30:03.179Z".into())
        );
        assert_eq!(
            (&done["status"], &done["error_code"], &done["fail_reason"]),
            (&"SUCCESS".into(), &().into(), &().into())
        );
        assert_eq!(
            done["entities"]["results"][0],
            serde_json::json!({"image_id":"img","project_id":"a","status":"success"})
        );
    }

    #[test]
    fn job_with_one_failed_pair_fails_and_names_it() {
        let failed = wire(&report(&[Outcome::Done, Outcome::MemberLimit], true));
        assert_eq!((&failed["status"], &failed["error_code"]), (&"FAIL".into(), &"IMG.0088".into()));
        let reason = failed["fail_reason"].as_str().unwrap();
        assert!(reason.starts_with("1 of 2 failed. The first: image img, project b: "), "{reason}");
        assert_eq!(failed["entities"]["results"][1]["error_code"], "IMG.0088");
    }

    #[test]
    fn result_says_what_the_request_changed_if_it_is_known() {
        let mut report = report(&[Outcome::Done, Outcome::MemberLimit], true);
        let outcomes = |report: &JobReport| {
            let results = wire(report)["entities"]["results"].take();
            [0, 1].map(|number| results[number].get("outcome").cloned())
        };
        assert_eq!(outcomes(&report), [None, None]);
        for (task, transition, expected) in [
            (Task::Share, Transition::Began, "shared"),
            (Task::Share, Transition::BeganAgain, "shared_again"),
            (Task::Share, Transition::Unchanged, "unchanged"),
            (Task::Unshare, Transition::Ended, "removed"),
            (Task::Unshare, Transition::Unchanged, "was_absent"),
        ] {
            report.job.task = task;
            report.work_items[0].transitions = vec![Some(transition), None];
            assert_eq!(outcomes(&report), [Some(expected.into()), None]);
        }
    }

    #[test]
    fn failed_pairs_come_first_in_truncated_results() {
        let mut report = report(&[], true);
        let images = (0..=MAX_RESULTS).map(|number| format!("img-{number}").parse().unwrap());
        (report.job.images, report.job.tenants) = (images.collect(), vec!["a".parse().unwrap()]);
        let work_item = &mut report.work_items[0];
        work_item.pairs = 0..MAX_RESULTS + 1;
        work_item.outcomes = vec![Outcome::Done; MAX_RESULTS];
        work_item.outcomes.push(Outcome::PendingLimit);
        let entities = wire(&report)["entities"].take();
        assert_eq!(entities["results"].as_array().unwrap().len(), MAX_RESULTS);
        assert_eq!(
            (&entities["results"][0]["image_id"], &entities["results_omitted"]),
            (&"img-10000".into(), &1.into())
        );
        assert!(wire(&report)["fail_reason"].as_str().unwrap().starts_with("1 of 10001 failed."));
    }

    #[test]
    fn failed_retries_have_the_error_code_of_the_task() {
        let respond = Task::Respond { status: Status::Accepted, vault: None };
        for (task, code) in [(Task::Share, "IMG.0112"), (Task::Unshare, "IMG.0113"), (respond, "IMG.0061")] {
            let mut report = report(&[Outcome::Done, Outcome::RetriesExhausted], true);
            report.job.task = task;
            assert_eq!(wire(&report)["error_code"], code);
        }
    }

    #[test]
    fn progress_route_omits_results() {
        let report = report(&[Outcome::Done], false);
        assert_eq!(
            serde_json::to_value(JobJson::new(&report, progress_entities(&report))).unwrap()["entities"],
            serde_json::json!({ "process_percent": 50, "subJobId": "" })
        );
    }

    #[test]
    fn running_job_has_no_end_time_or_error() {
        let running = wire(&report(&[Outcome::MemberLimit], false));
        assert_eq!((&running["status"], &running["end_time"]), (&"RUNNING".into(), &().into()));
        assert_eq!(
            (&running["error_code"], &running["entities"]["process_percent"]),
            (&().into(), &50.into())
        );
        assert_eq!(wire(&report(&[], false))["status"], "INIT");
    }
}
