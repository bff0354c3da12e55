//! respond
fn main(){}
