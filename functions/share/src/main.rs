//! share
fn main() {}
