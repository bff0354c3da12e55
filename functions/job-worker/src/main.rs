//! job-worker
fn main() {}
