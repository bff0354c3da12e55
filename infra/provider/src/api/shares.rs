//! Sharing, unsharing and deciding: calls that make jobs.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::jobs::{StopWaiting, Wait};
use super::{
    ApiError, Call, Client, ErrorKind, JobStatus, Limits, Membership, Pair, PairResult, Status, cover,
};

/// A recipient's decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// To use the image.
    Accepted,
    /// Not to use it.
    Rejected,
}

impl From<Decision> for Status {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Accepted => Self::Accepted,
            Decision::Rejected => Self::Rejected,
        }
    }
}

/// A change of memberships by their owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipChange {
    /// To share.
    Share,
    /// To stop sharing.
    Unshare,
}

/// What has become of a change, which may have taken several jobs.
#[derive(Debug, Default)]
pub struct Changed {
    /// What became of the pairs of the jobs that have ended.
    pub results: Vec<PairResult>,
    /// The jobs that go on, and why they were not waited for.
    pub unfinished: Vec<(String, StopWaiting)>,
    /// Whether an interrupt kept a part from being requested.
    pub is_cut_short: bool,
    /// Why a part of the change was not requested, or is not known.
    pub errors: Vec<ApiError>,
}

#[derive(serde::Deserialize)]
struct Accepted {
    job_id: String,
}

/// A member in Glance's API.
#[derive(serde::Deserialize)]
struct Member {
    status: Status,
    updated_at: String,
}

impl Client {
    /// Shares or unshares pairs, with as few calls as the service's limits permit, and waits for their jobs. Costs one
    /// call for each rectangle of pairs, and one or more to wait for each.
    ///
    /// What fails is in the result, not an error: a part may have succeeded.
    pub async fn change_memberships(
        &self,
        change: MembershipChange,
        pairs: &BTreeSet<Pair>,
        wait: &Wait,
    ) -> Changed {
        if pairs.is_empty() {
            return Changed::default();
        }
        let limits = match self.limits().await {
            Ok(limits) => limits,
            Err(error) => return Changed::failed(error),
        };
        let call = match change {
            MembershipChange::Share => Call::post("/v1/cloudimages/members", &[]),
            MembershipChange::Unshare => Call::delete("/v1/cloudimages/members", &[]),
        };
        let parts = cover(pairs, &limits);
        let bodies = parts.iter().map(|part| json!({"images": part.images, "projects": part.projects}));
        self.submit(&call, bodies, wait).await
    }

    /// Decides on images: by their ids, or `OWNER/*` for everything that is pending from an owner. Waits for the jobs,
    /// and costs one call for as many images as the service takes in one, and one or more to wait.
    ///
    /// # Errors
    /// In the result.
    pub async fn decide(
        &self,
        images: &[String],
        decision: Decision,
        vault: Option<&str>,
        wait: &Wait,
    ) -> Changed {
        let (project, limits) = match tokio::try_join!(self.project(), self.limits()) {
            Ok(known) => known,
            Err(error) => return Changed::failed(error),
        };
        let bodies = images.chunks(limits.images_per_request.max(1)).map(|images| {
            let mut body = json!({"images": images, "project_id": project, "status": decision});
            if let (Some(vault), Some(members)) = (vault, body.as_object_mut()) {
                members.insert("vault_id".to_owned(), vault.into());
            }
            body
        });
        self.submit(&Call::put("/v1/cloudimages/members", &[]), bodies, wait).await
    }

    /// Decides on one image, at once and without a job. Returns the membership as it is then. Costs one call.
    pub async fn decide_on_one(
        &self,
        membership: &Membership,
        decision: Decision,
        vault: Option<&str>,
    ) -> Result<Membership, ApiError> {
        let Membership { image_id, project_id, .. } = membership;
        let call = Call::put("/v2/images/{}/members/{}", &[image_id, project_id]);
        let Member { status, updated_at } =
            self.send(&call.json(&json!({"status": decision, "vault_id": vault}))).await?;
        let vault_id = vault.filter(|_| status == Status::Accepted).map(str::to_owned);
        Ok(Membership { status, answered_at: Some(updated_at), vault_id, ..membership.clone() })
    }

    /// Sends a call with each of these bodies, each of which makes a job, and waits for the jobs. After an error or an interrupt
    /// it sends no further one.
    async fn submit(&self, call: &Call, bodies: impl Iterator<Item = Value>, wait: &Wait) -> Changed {
        let (mut changed, mut jobs) = (Changed::default(), Vec::new());
        for body in bodies {
            if wait.stop.is_cancelled() {
                changed.is_cut_short = true;
                break;
            }
            match self.send::<Accepted>(&call.clone().json(&body).idempotent()).await {
                Ok(accepted) => jobs.push(accepted.job_id),
                Err(error) => {
                    changed.errors.push(error);
                    break;
                }
            }
        }
        self.await_jobs(jobs, wait, &mut changed).await;
        changed
    }

    async fn await_jobs(&self, jobs: Vec<String>, wait: &Wait, changed: &mut Changed) {
        for id in jobs {
            match self.wait_for_job(&id, wait).await {
                Ok(Ok(job)) => changed.add(job.entities.results, job.status, job.fail_reason, &id),
                Ok(Err(stopped)) => changed.unfinished.push((id, stopped)),
                Err(error) => changed.errors.push(error),
            }
        }
    }

    /// The limits of calls; those of the oldest server, if the server does not tell them.
    pub async fn limits(&self) -> Result<Limits, ApiError> {
        match self.service().await {
            Ok(service) => Ok(service.limits.clone()),
            Err(error) if error.kind == ErrorKind::Unsupported => Ok(Limits::default()),
            Err(error) => Err(error),
        }
    }
}

impl Changed {
    /// Nothing was requested.
    fn failed(error: ApiError) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }

    fn add(&mut self, results: Vec<PairResult>, status: JobStatus, reason: Option<String>, job: &str) {
        let has_failure = results.iter().any(|result| result.status == super::PairStatus::Failed);
        if status == JobStatus::Fail && !has_failure {
            let reason = reason.unwrap_or_else(|| "The job failed.".to_owned());
            self.errors.push(ApiError::local(
                ErrorKind::Failed,
                format!("{reason} Job {job}."),
                String::new(),
            ));
        }
        self.results.extend(results);
    }

    /// The pairs that failed.
    pub fn failures(&self) -> impl Iterator<Item = &PairResult> {
        self.results.iter().filter(|result| result.status == super::PairStatus::Failed)
    }
}
