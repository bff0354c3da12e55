//! The failed pairs of a job, for the log.

use super::outcome_code;
use crate::domain::{ImageId, Job, Outcome, TenantId};

/// The number of failed pairs, and the first of them.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// How many pairs failed.
    pub(super) count: usize,
    first: Option<(ImageId, TenantId, Outcome)>,
    first_code: Option<&'static str>,
}

impl Failures {
    /// The failures among the outcomes of a job's pairs from `first_pair` on.
    pub(super) fn from_outcomes(job: &Job, first_pair: usize, outcomes: &[Outcome]) -> Self {
        let mut failures = Self::default();
        failures.add_outcomes(job, first_pair, outcomes);
        failures
    }

    /// Adds the failures among the outcomes of a job's pairs from `first_pair` on.
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

    /// The outcome and the pair of the first failure; `None` if no pair failed.
    pub(super) fn describe_first(&self) -> Option<String> {
        let (image, tenant, outcome) = self.first.as_ref()?;
        Some(format!("{outcome:?}: image {image}, project {tenant}"))
    }

    /// The code of the first failure, as the IMS API shows it in the job, so that operators find the log line by the
    /// code that a user reports; `None` if no pair failed.
    pub(super) fn first_code(&self) -> Option<&'static str> {
        self.first_code
    }
}
