//! `data.imageshare_job`: a job with what became of its pairs.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::support::{failed, list};
use crate::api::{Client, PairResult, PairStatus};
use crate::diagnostic::Diagnostic;
use crate::schema::{Attribute, Nesting, Schema};
use crate::server::{Context, DataSource};
use crate::value::{Object, Value};

/// The data source `imageshare_job`.
pub struct Job;

#[async_trait]
impl DataSource<Client> for Job {
    fn name(&self) -> &'static str {
        "imageshare_job"
    }

    fn schema(&self) -> Schema {
        let failure = [
            Attribute::string("image_id", "The image.").computed(),
            Attribute::string("project_id", "The project.").computed(),
            Attribute::string("error_code", "The code of the failure.").computed(),
            Attribute::string("error_message", "The failure.").computed(),
        ];
        Schema::new(
            "A job of the project. It can be read for 30 days.",
            [
                Attribute::string("job_id", "The job.").required(),
                Attribute::string(
                    "status",
                    "`INIT`, `RUNNING`, `SUCCESS`, or `FAIL` if at least one pair failed.",
                )
                .computed(),
                Attribute::string("kind", "What the job does.").computed(),
                Attribute::string("begun_at", "When it was requested.").computed(),
                Attribute::string("ended_at", "When it ended.").computed(),
                Attribute::string("fail_reason", "The first failure, and their number.").computed(),
                Attribute::string_map(
                    "outcomes",
                    "What the job did to each pair, by `IMAGE/PROJECT`, such as `shared` or `unchanged`.",
                )
                .computed(),
                Attribute::objects("failures", Nesting::List, "The pairs that failed.", failure).computed(),
            ],
        )
    }

    async fn read(&self, context: &mut Context<'_, Client>, config: &Object) -> Result<Object, Diagnostic> {
        let id = config.str("job_id").unwrap_or_default();
        let job =
            context.client.job(id).await.map_err(|error| failed("The job could not be read", &error))?;
        let Some(job) = job else {
            let detail = format!("The project has no job {id}, or it is older than 30 days.");
            return Err(Diagnostic::error("The job does not exist", detail).at("job_id"));
        };
        let results = &job.entities.results;
        let outcomes: BTreeMap<String, Value> =
            results.iter().map(|one| (pair(one), outcome(one).into())).collect();
        let failures = results.iter().filter(|one| one.status == PairStatus::Failed).map(|one| {
            Object::new()
                .with("image_id", &one.image_id)
                .with("project_id", &one.project_id)
                .with("error_code", one.error_code.clone())
                .with("error_message", one.error_msg.clone())
        });
        Ok(config
            .clone()
            .with("status", job.status.as_str())
            .with("kind", job.job_type)
            .with("begun_at", job.begin_time)
            .with("ended_at", job.end_time)
            .with("fail_reason", job.fail_reason)
            .with("outcomes", Value::Map(outcomes))
            .with("failures", list(failures)))
    }
}

fn pair(one: &PairResult) -> String {
    format!("{}/{}", one.image_id, one.project_id)
}

/// What the job did, or how it ended if the server does not say what it did.
fn outcome(one: &PairResult) -> &str {
    match (one.outcome.as_deref(), one.status) {
        (Some(outcome), _) => outcome,
        (None, PairStatus::Success) => "success",
        (None, PairStatus::Overtaken) => "overtaken",
        (None, PairStatus::Failed) => "failed",
    }
}
