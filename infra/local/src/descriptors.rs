//! The process's limit of open files and connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The descriptors that the server can use: its connections, as many to a table in DynamoDB, and a margin.
const TARGET_LIMIT: u64 = 2048;

/// Raises the limit to what the server can use, or as far as the system allows. A failure is logged.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let allowed = limit.maximum.map_or(TARGET_LIMIT, |maximum| maximum.min(TARGET_LIMIT));
    if limit.current.is_some_and(|current| current < allowed) {
        let raised = Rlimit { current: Some(allowed), maximum: limit.maximum };
        if let Err(problem) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%problem, "the descriptor limit could not be raised");
        }
    }
}

/// The process's current descriptor limit.
pub fn limit() -> usize {
    getrlimit(Resource::Nofile)
        .current
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
