//! The keys of job entries.

use super::{Key, key};
use crate::domain::{JobId, TenantId};

/// The partition of the entries of a project's jobs.
pub fn job_entries_partition(project: &TenantId) -> String {
    format!("E#{project}")
}

/// The entry of a job.
pub fn job_entry(project: &TenantId, job: JobId) -> Key {
    key(job_entries_partition(project), job.to_string())
}
