//! images
fn main(){}
