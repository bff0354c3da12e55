//! The entry of a job in the list of its project's jobs.

use super::value_enum::value_enum;
use super::{Job, JobId, JobReport, Task};

/// What a job was requested for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// To share images.
    Share,
    /// To unshare images, or to delete a shared one.
    Unshare,
    /// To accept or reject images.
    Respond,
}

value_enum!(JobKind { Share = "share", Unshare = "unshare" or Respond = "respond" });

/// The entry of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEntry {
    /// The job.
    pub job: JobId,
    /// Its kind.
    pub kind: JobKind,
    /// Whether its pairs are in work items of their own, outside of its own item.
    pub is_divided: bool,
}

impl JobEntry {
    /// The entry of a job; `None` for a job that follows from an image's change, and that nobody has requested.
    pub fn of(job: &Job) -> Option<Self> {
        let is_divided = job.is_large() || job.task.finds_images();
        Some(Self { job: job.id, kind: job.task.kind()?, is_divided })
    }
}

impl Task {
    /// The kind of its jobs; `None` for a task that nobody requests.
    pub fn kind(&self) -> Option<JobKind> {
        match self {
            Self::Share => Some(JobKind::Share),
            Self::Unshare => Some(JobKind::Unshare),
            Self::Respond { .. } | Self::RespondToAll { .. } | Self::RespondToOwners { .. } => {
                Some(JobKind::Respond)
            }
            Self::Refresh => None,
        }
    }
}

impl JobReport {
    /// The number of its images; if the job finds its images itself, of those that it has found so far.
    pub fn image_count(&self) -> usize {
        if self.job.task.finds_images() {
            self.work_items.iter().map(|work_item| work_item.found_images.len()).sum()
        } else {
            self.job.images.len()
        }
    }

    /// The number of its pairs; while a job that finds its images itself is open, the number expected at the request.
    pub fn pair_count(&self) -> usize {
        let done = self.done_count();
        if self.ended_at().is_some() { done } else { self.job.pair_count().max(done) }
    }

    /// The number of pairs that have failed, including those whose image is not known.
    pub fn failed_count(&self) -> usize {
        let outcomes = self.work_items.iter().flat_map(|work_item| &work_item.outcomes);
        outcomes.filter(|outcome| outcome.is_failure()).count()
    }
}
