//! What a command of Terraform has printed.

use std::fmt;
use std::process::Output;

/// A command that has ended.
#[derive(Clone)]
pub struct Ended {
    command: String,
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed on stdout.
    pub stdout: String,
    /// What it printed on stderr.
    pub stderr: String,
}

#[expect(clippy::return_self_not_must_use, reason = "an expectation may be all that a test has")]
impl Ended {
    pub(super) fn new(command: String, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Self { command, code: output.status.code(), stdout, stderr }
    }

    /// Panics unless it succeeded.
    pub fn expect_success(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// Panics unless it failed with all of these texts in its errors, whose lines are joined, since Terraform breaks them.
    pub fn expect_error(self, texts: &[&str]) -> Self {
        assert_ne!(self.code, Some(0), "{self:?}");
        self.expect_texts(&self.stderr.clone(), texts);
        self
    }

    /// Panics unless all of these texts are in what it printed, whose lines are joined.
    pub fn expect_output(self, texts: &[&str]) -> Self {
        self.expect_texts(&format!("{}\n{}", self.stdout, self.stderr), texts);
        self
    }

    fn expect_texts(&self, output: &str, texts: &[&str]) {
        let frame = ['│', '╷', '╵'];
        let joined = output.replace(frame, " ").split_whitespace().collect::<Vec<_>>().join(" ");
        for text in texts {
            assert!(joined.contains(text), "{text:?} is missing\n{self:?}");
        }
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "terraform {}: {:?}\n{}{}", self.command, self.code, self.stdout, self.stderr)
    }
}
