//! job-worker
