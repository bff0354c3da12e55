//! What a passing test has to report: how many faults it injected, what it could not run.

use std::fmt::Display;
use std::io::{self, Write as _};

/// Prints a message even if the test passes, when the test harness hides what `println!` prints.
pub fn print_notice(text: &dyn Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
