//! What a test has to say though it passes: how many faults it injected, what it could not run.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Tells whoever runs the tests. What a test that passes prints is kept from them, so this goes past `println!`.
pub fn print_notice(text: &dyn Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
