//! job-status
