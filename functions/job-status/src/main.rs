//! job-status
fn main() {}
