//! unshare
fn main() {}
