//! share
fn main(){}
