//! job-status
fn main(){}
