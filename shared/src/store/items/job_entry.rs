//! The entry of a job in the list of its project's jobs.

use super::job::job_expiry;
use crate::domain::{Job, JobEntry, Timestamp};
use crate::store::error::StoreError;
use crate::store::item::{self, Item};
use crate::store::keys::{self, SK, TTL};
use crate::table::Write;

/// The attribute of an entry whose job is divided into work items of their own.
const DIVIDED: &str = "divided";

/// Puts the entry of a job, which is kept as long as the job; `None` for a job without one.
pub fn put_job_entry(job: &Job) -> Option<Write> {
    let entry = JobEntry::of(job)?;
    let mut attributes = vec![("kind", item::text(entry.kind)), (TTL, job_expiry(job))];
    if entry.is_divided {
        attributes.push((DIVIDED, item::number(1)));
    }
    Some(Write::put(item::item(keys::job_entry(&job.creator, job.id), attributes)))
}

/// Parses an entry; `None` if it has expired.
pub fn parse(found: &Item, now: Timestamp) -> Result<Option<JobEntry>, StoreError> {
    let entry = JobEntry {
        job: item::get_parsed(found, SK)?,
        kind: item::get_parsed(found, "kind")?,
        is_divided: found.contains_key(DIVIDED),
    };
    Ok((item::get_number::<i64>(found, TTL)? > now.unix_seconds()).then_some(entry))
}
