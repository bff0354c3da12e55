//! unshare
fn main(){}
