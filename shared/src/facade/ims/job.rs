//! `GET /v1/{project_id}/jobs/{job_id}` and `GET /v1/cloudimages/job/{job_id}`: ask a job (`contract/ims.md` 1.4).
//!
//! Clients look at `status` alone and fail on `FAIL` with `fail_reason`, so a job is `FAIL` if any pair failed, and the
//! reason names the first pair and counts the others (`contract/decisions.md` 2 to 4). A pair that a later request has
//! decided otherwise is `overtaken`, which fails no job (decision 26).

use http::StatusCode;
use serde::Serialize;

use super::Error;
use super::error::{no_body, of_outcome};
use crate::domain::{JobId, JobStatus, Outcome, Report, Task};
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases::{self, Refusal};

/// The route of the older form, with every pair's result.
pub const ROUTE: &str = "GET /v1/{project_id}/jobs/{job_id}";

/// The route of the newer form, without them.
pub const PROGRESS_ROUTE: &str = "GET /v1/cloudimages/job/{job_id}";

/// The most pairs whose results are listed: those of the largest batch. An answer to everything may have more; then those
/// that failed come first, since a function can answer no more than 6 MB.
const MOST_RESULTS: usize = 10_000;

/// The job, with every pair's result as far as it has come.
pub async fn answer(call: &Call) -> Reply {
    if call.path_parameter("project_id") != call.caller().tenant.as_str() && !call.caller().is_admin() {
        return Error::from(Refusal::JobNotFound).into_reply();
    }
    answer_with(call, with_results).await
}

/// The job, without the pairs' results.
pub async fn answer_progress(call: &Call) -> Reply {
    answer_with(call, without_results).await
}

async fn answer_with(call: &Call, entities: fn(&Report) -> Entities<'_>) -> Reply {
    match report(call).await {
        Ok(report) => json(StatusCode::OK, &JobWire::new(&report, entities(&report))),
        Err(error) => error.into_reply(),
    }
}

async fn report(call: &Call) -> Result<Report, Error> {
    no_body(call)?;
    let id = call.path_parameter("job_id").parse::<JobId>().map_err(|_| Refusal::JobNotFound)?;
    Ok(usecases::job_status(&call.service, call.caller(), id).await?)
}

#[derive(Serialize)]
struct JobWire<'a> {
    job_id: String,
    job_type: &'static str,
    status: &'static str,
    begin_time: String,
    end_time: Option<String>,
    error_code: Option<&'static str>,
    fail_reason: Option<String>,
    entities: Entities<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Entities<'a> {
    Results {
        process_percent: usize,
        results: Vec<PairResult<'a>>,
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
struct PairResult<'a> {
    image_id: &'a str,
    project_id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_msg: Option<&'static str>,
}

/// What a job has come to, pair by pair.
fn with_results(report: &Report) -> Entities<'_> {
    let omitted = report.done().saturating_sub(MOST_RESULTS);
    let pairs: Vec<_> = if omitted == 0 {
        report.outcomes().collect()
    } else {
        let done = report.outcomes().filter(|(_, _, outcome)| !outcome.is_failure());
        report.failures().chain(done).take(MOST_RESULTS).collect()
    };
    let results = pairs.into_iter().map(|(image, tenant, outcome)| {
        let error = of_outcome(outcome, &report.job.task);
        PairResult {
            image_id: image.as_str(),
            project_id: tenant.as_str(),
            status: match outcome {
                Outcome::Done => "success",
                Outcome::Overtaken => "overtaken",
                _ => "failed",
            },
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

/// How far a job has come.
fn without_results(report: &Report) -> Entities<'_> {
    Entities::Progress { process_percent: report.percent(), sub_job_id: "" }
}

impl<'a> JobWire<'a> {
    fn new(report: &Report, entities: Entities<'a>) -> Self {
        let (error_code, fail_reason) = failure_of(report).unzip();
        Self {
            job_id: report.job.id.to_string(),
            job_type: match report.job.task {
                Task::Share => "imsAddImageMembersJob",
                Task::Unshare => "imsDelImageMembersJob",
                Task::Respond { .. } | Task::RespondToAll { .. } | Task::Refresh => {
                    "imsUpdateImageMembersJob"
                }
            },
            status: match report.status() {
                JobStatus::Init => "INIT",
                JobStatus::Running => "RUNNING",
                JobStatus::Success => "SUCCESS",
                JobStatus::Fail => "FAIL",
            },
            begin_time: report.job.accepted.to_millis_text(),
            end_time: report.ended().map(|end| end.max(report.job.accepted).to_millis_text()),
            error_code,
            fail_reason,
            entities,
        }
    }
}

/// The code of the first failure, and the sentence that a client shows; nothing while the job runs.
fn failure_of(report: &Report) -> Option<(&'static str, String)> {
    report.ended()?;
    let Some((image, tenant, outcome)) = report.failures().next() else {
        // What failed cannot be named.
        let outcome = (report.status() == JobStatus::Fail).then_some(Outcome::GaveUp)?;
        return of_outcome(outcome, &report.job.task).map(|(code, message)| (code, message.to_owned()));
    };
    let (code, message) = of_outcome(outcome, &report.job.task)?;
    let (failed, all) = (report.failures().count(), report.done());
    let first = format!("image {image}, project {tenant}: {message}");
    Some((code, if all == 1 { first } else { format!("{failed} of {all} failed. The first: {first}") }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Job, Outcome, Piece, Stamp, Status, Timestamp};

    fn report(outcomes: &[Outcome], finished: bool) -> Report {
        let job = Job {
            id: JobId(Stamp::first_of(Timestamp::from_unix_millis(1_730_874_600_778))),
            creator: "own1".parse().unwrap(),
            task: Task::Share,
            images: vec!["img".parse().unwrap()],
            tenants: vec!["a".parse().unwrap(), "b".parse().unwrap()],
            accepted: Timestamp::from_unix_millis(1_730_874_600_778),
            queues: Vec::new(),
        };
        let finished = finished.then(|| Timestamp::from_unix_millis(1_730_874_603_179));
        let piece = Piece {
            number: 0,
            pairs: 0..2,
            found: Vec::new(),
            outcomes: outcomes.to_vec(),
            finished,
            attempts: 0,
        };
        Report { job, pieces: vec![piece] }
    }

    fn wire(report: &Report) -> serde_json::Value {
        serde_json::to_value(JobWire::new(report, with_results(report))).unwrap()
    }

    #[test]
    fn a_job_that_succeeded_is_as_in_the_vendors_example() {
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
    fn a_job_with_one_failure_fails_and_says_which() {
        let failed = wire(&report(&[Outcome::Done, Outcome::MemberLimit], true));
        assert_eq!((&failed["status"], &failed["error_code"]), (&"FAIL".into(), &"IMG.0088".into()));
        let reason = failed["fail_reason"].as_str().unwrap();
        assert!(reason.starts_with("1 of 2 failed. The first: image img, project b: "), "{reason}");
        assert_eq!(failed["entities"]["results"][1]["error_code"], "IMG.0088");
    }

    #[test]
    fn of_more_pairs_than_are_listed_those_that_failed_come_first() {
        let mut report = report(&[], true);
        let images = (0..=MOST_RESULTS).map(|number| format!("img-{number}").parse().unwrap());
        (report.job.images, report.job.tenants) = (images.collect(), vec!["a".parse().unwrap()]);
        let piece = &mut report.pieces[0];
        piece.pairs = 0..MOST_RESULTS + 1;
        piece.outcomes = vec![Outcome::Done; MOST_RESULTS];
        piece.outcomes.push(Outcome::PendingLimit);
        let entities = wire(&report)["entities"].take();
        assert_eq!(entities["results"].as_array().unwrap().len(), MOST_RESULTS);
        assert_eq!(
            (&entities["results"][0]["image_id"], &entities["results_omitted"]),
            (&"img-10000".into(), &1.into())
        );
        assert!(wire(&report)["fail_reason"].as_str().unwrap().starts_with("1 of 10001 failed."));
    }

    #[test]
    fn what_was_given_up_has_the_code_of_its_task() {
        let respond = Task::Respond { status: Status::Accepted, vault: None };
        for (task, code) in [(Task::Share, "IMG.0112"), (Task::Unshare, "IMG.0113"), (respond, "IMG.0061")] {
            let mut report = report(&[Outcome::Done, Outcome::GaveUp], true);
            report.job.task = task;
            assert_eq!(wire(&report)["error_code"], code);
        }
    }

    #[test]
    fn the_newer_form_has_the_progress_and_no_results() {
        let report = report(&[Outcome::Done], false);
        assert_eq!(
            serde_json::to_value(JobWire::new(&report, without_results(&report))).unwrap()["entities"],
            serde_json::json!({ "process_percent": 50, "subJobId": "" })
        );
    }

    #[test]
    fn a_job_under_way_has_no_end_and_no_failure_yet() {
        let running = wire(&report(&[Outcome::MemberLimit], false));
        assert_eq!((&running["status"], &running["end_time"]), (&"RUNNING".into(), &().into()));
        assert_eq!(
            (&running["error_code"], &running["entities"]["process_percent"]),
            (&().into(), &50.into())
        );
        assert_eq!(wire(&report(&[], false))["status"], "INIT");
    }
}
