//! Jobs, and waiting for their end.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{ApiError, Call, Client};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A job with what became of its pairs.
#[derive(Clone, Debug, Deserialize)]
pub struct Job {
    /// Its id.
    pub job_id: String,
    /// Its kind, such as `imsAddImageMembersJob`.
    pub job_type: String,
    /// How far it is.
    pub status: JobStatus,
    /// When it was requested.
    pub begin_time: String,
    /// When it ended.
    pub end_time: Option<String>,
    /// The code of the first failure.
    pub error_code: Option<String>,
    /// The first failure, and their number.
    pub fail_reason: Option<String>,
    /// The results.
    #[serde(default)]
    pub entities: Entities,
}

/// The part of a job that grows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Entities {
    /// How much of it is executed, from 0 to 100.
    pub process_percent: f64,
    /// What became of each pair, the failed ones first.
    pub results: Vec<PairResult>,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// Not begun.
    Init,
    /// Begun.
    Running,
    /// Ended; each pair is as requested, or was overtaken by a later request.
    Success,
    /// Ended; at least one pair failed.
    Fail,
}

/// What became of a pair.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PairResult {
    /// The image.
    pub image_id: String,
    /// The project.
    pub project_id: String,
    /// Whether the pair is as requested.
    pub status: PairStatus,
    /// What the job did, such as `shared` or `unchanged`; servers before 0.2 do not say it.
    #[serde(default)]
    pub outcome: Option<String>,
    /// The code of the failure.
    #[serde(default)]
    pub error_code: Option<String>,
    /// The failure, for the user.
    #[serde(default)]
    pub error_msg: Option<String>,
}

/// Whether a pair is as requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PairStatus {
    /// It is.
    Success,
    /// A later request decided on it.
    Overtaken,
    /// It is not.
    Failed,
}

impl JobStatus {
    /// Whether the job has ended.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Success | Self::Fail)
    }

    /// The status as the service writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Running => "RUNNING",
            Self::Success => "SUCCESS",
            Self::Fail => "FAIL",
        }
    }
}

/// How long to wait for something: to a deadline, or until Terraform is interrupted.
#[derive(Clone, Debug)]
pub struct Wait {
    /// When waiting ends.
    pub deadline: Instant,
    /// Cancelled when waiting is to end at once.
    pub stop: CancellationToken,
}

/// Why something was not waited for to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopWaiting {
    /// The deadline has come.
    TimedOut,
    /// Terraform was interrupted.
    Interrupted,
}

impl Wait {
    /// Waits this long at most.
    pub fn for_at_most(duration: Duration, stop: CancellationToken) -> Self {
        Self { deadline: Instant::now() + duration, stop }
    }

    /// Pauses. Ends early, with the reason, at the deadline and if it is interrupted.
    pub async fn pause(&self, pause: Duration) -> Result<(), StopWaiting> {
        let rest = self.deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Err(StopWaiting::TimedOut);
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(StopWaiting::Interrupted),
            () = sleep(pause.min(rest)) => Ok(()),
        }
    }

    /// The pauses between two looks: 50 ms, growing to two seconds.
    pub fn pauses() -> impl Iterator<Item = Duration> {
        std::iter::successors(Some(FIRST_PAUSE), |pause| Some(pause.mul_f64(1.6).min(MAX_PAUSE)))
    }
}

impl Client {
    /// Reads a job. `None` if the project has no such job, or it is older than 30 days. Costs two calls at most.
    pub async fn job(&self, id: &str) -> Result<Option<Job>, ApiError> {
        let project = self.project().await?;
        self.find(&Call::get("/v1/{}/jobs/{}", &[&project, id])).await
    }

    /// Waits until a job has ended. Returns why it was not waited for to its end, if so; the job goes on then.
    ///
    /// # Errors
    /// [`ApiError`] if the job cannot be read, or does not exist.
    pub async fn wait_for_job(&self, id: &str, wait: &Wait) -> Result<Result<Job, StopWaiting>, ApiError> {
        let project = self.project().await?;
        let whole = Call::get("/v1/{}/jobs/{}", &[&project, id]);
        // Most jobs have ended when their request is answered. The results of a large one are read only at its end.
        let job: Job = self.send(&whole).await?;
        if job.status.has_ended() {
            return Ok(Ok(job));
        }
        let progress = Call::get("/v1/cloudimages/job/{}", &[id]);
        for pause in Wait::pauses() {
            if let Err(stopped) = wait.pause(pause).await {
                return Ok(Err(stopped));
            }
            let job: Job = self.send(&progress).await?;
            if job.status.has_ended() {
                break;
            }
        }
        self.send(&whole).await.map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_two_seconds() {
        let pauses: Vec<u128> = Wait::pauses().take(12).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses.first(), Some(&50));
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&2000));
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_at_its_deadline() {
        let wait = Wait::for_at_most(Duration::from_secs(3), CancellationToken::new());
        assert_eq!(wait.pause(Duration::from_secs(2)).await, Ok(()));
        assert_eq!(wait.pause(Duration::from_secs(2)).await, Ok(()));
        assert_eq!(wait.pause(Duration::from_secs(2)).await, Err(StopWaiting::TimedOut));
    }

    #[tokio::test(start_paused = true)]
    async fn interrupt_ends_waiting_at_once() {
        let stop = CancellationToken::new();
        let wait = Wait::for_at_most(Duration::from_hours(1), stop.clone());
        stop.cancel();
        assert_eq!(wait.pause(Duration::from_mins(1)).await, Err(StopWaiting::Interrupted));
    }
}
