//! The pairs of a job that failed, as the log tells of them.

use super::outcome_code;
use crate::domain::{ImageId, Job, Outcome, TenantId};

/// How many pairs failed, and the first of them.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// How many.
    pub(super) count: usize,
    first: Option<(ImageId, TenantId, Outcome)>,
    first_code: Option<&'static str>,
}

impl Failures {
    /// Those among the outcomes of a job's pairs from that number on.
    pub(super) fn from_outcomes(job: &Job, first_pair: usize, outcomes: &[Outcome]) -> Self {
        let mut failures = Self::default();
        failures.add_outcomes(job, first_pair, outcomes);
        failures
    }

    /// Adds those among the outcomes of a job's pairs from that number on.
    pub(super) fn add_outcomes(&mut self, job: &Job, first_pair: usize, outcomes: &[Outcome]) {
        for (number, outcome) in (first_pair..).zip(outcomes).filter(|(_, outcome)| outcome.is_failure()) {
            self.count += 1;
            if self.first.is_none() {
                let pair = job.pair(number);
                self.first = pair.map(|(image, tenant)| (image.clone(), tenant.clone(), *outcome));
                self.first_code = outcome_code(*outcome, &job.task);
            }
        }
    }

    /// Why the first of them failed, by the outcome's name, and which pair it is; `None` where none failed.
    pub(super) fn describe_first(&self) -> Option<String> {
        let (image, tenant, outcome) = self.first.as_ref()?;
        Some(format!("{outcome:?}: image {image}, project {tenant}"))
    }

    /// The code of the first of them as IMS's API states it in the job, so that a line of the log is found by the code that a
    /// user reports; `None` where none failed.
    pub(super) fn first_code(&self) -> Option<&'static str> {
        self.first_code
    }
}
