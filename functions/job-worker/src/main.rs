//! job-worker
fn main(){}
