//! What happens on a machine that lacks a program that these tests need.

use std::env;

use crate::notice::print_notice;

/// Why the deployment cannot be tested on this machine.
#[derive(Debug, thiserror::Error)]
#[error("the deployment on AWS was not tested: {0}")]
pub struct SetupError(pub String);

/// Returns the value. Prints an error and returns `None`.
///
/// # Panics
/// In CI, at an error: it must have every program.
pub fn available<T>(found: Result<T, SetupError>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(problem) if env::var_os("CI").is_some_and(|value| !value.is_empty()) => panic!("{problem}"),
        Err(problem) => {
            print_notice(&problem);
            None
        }
    }
}
