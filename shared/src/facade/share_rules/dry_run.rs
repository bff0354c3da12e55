//! `POST /v1/share-rules/{rule_name}/dry-run`: what applying a share rule would do, without doing it.

use http::StatusCode;
use serde::Serialize;

use super::wire::path_rule;
use crate::domain::{NotShared, ShareRequestError, Task};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, json_response};
use crate::usecases::share_rules::{self, DryRunPair, PairResult, RuleDryRun};
use crate::usecases::{UseCaseError, outcome_error};

/// The operation's route.
pub const ROUTE: &str = "POST /v1/share-rules/{rule_name}/dry-run";

/// No body in, `{"images":3,"recipients":2,"pairs":6,"is_complete":true,"first_pairs":[…]}` out. A pair is
/// `{"image_id","project_id","effect","error_code","error_msg"}`, its effect `shared`, `unchanged` or `refused`.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    dry_run(request).await.unwrap_or_else(ApiError::into_response)
}

#[derive(Debug, Serialize)]
struct DryRunJson<'a> {
    images: usize,
    recipients: usize,
    pairs: usize,
    /// Whether all images were counted.
    is_complete: bool,
    first_pairs: Vec<PairJson<'a>>,
}

#[derive(Debug, Serialize)]
struct PairJson<'a> {
    image_id: &'a str,
    project_id: &'a str,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_msg: Option<String>,
}

impl<'a> From<&'a RuleDryRun> for DryRunJson<'a> {
    fn from(run: &'a RuleDryRun) -> Self {
        Self {
            images: run.images,
            recipients: run.recipients,
            pairs: run.pair_count(),
            is_complete: run.is_complete,
            first_pairs: run.first_pairs.iter().map(PairJson::from).collect(),
        }
    }
}

impl<'a> From<&'a DryRunPair> for PairJson<'a> {
    fn from(DryRunPair { image, tenant, result }: &'a DryRunPair) -> Self {
        let (effect, error) = match *result {
            PairResult::Shared => ("shared", None),
            PairResult::Unchanged => ("unchanged", None),
            PairResult::NotShared(visibility) => {
                let problem = NotShared { image: image.clone(), visibility };
                let ApiError { code, message, .. } =
                    UseCaseError::from(ShareRequestError::from(problem)).into();
                ("refused", Some((code, message)))
            }
            PairResult::Refused(outcome) => {
                let error = outcome_error(outcome, &Task::Share);
                ("refused", error.map(|(code, message)| (code, message.to_owned())))
            }
        };
        let (error_code, error_msg) = error.unzip();
        Self { image_id: image.as_str(), project_id: tenant.as_str(), effect, error_code, error_msg }
    }
}

async fn dry_run(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let run = share_rules::dry_run(&request.app, request.caller(), &path_rule(request)?).await?;
    Ok(json_response(StatusCode::OK, &DryRunJson::from(&run)))
}
