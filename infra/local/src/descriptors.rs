//! The descriptor limit of this process: how many connections and files it may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many descriptors as the server has a use for.
const TARGET_LIMIT: u64 = 1024;

/// Raises the limit as far as the server has a use for it and the system allows.
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

/// How many descriptors the process may have.
pub fn limit() -> usize {
    getrlimit(Resource::Nofile)
        .current
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
