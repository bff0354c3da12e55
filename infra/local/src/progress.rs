//! Reports the progress of a long command: a line on stderr every few seconds. stdout is for programs, and has none.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a line is written to a terminal.
const TERMINAL_INTERVAL: Duration = Duration::from_secs(2);

/// How often a line is written to a file or a mail of `cron`.
const FILE_INTERVAL: Duration = Duration::from_secs(30);

/// What a command is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A database is being copied.
    Copying {
        /// The pages copied so far.
        pages: u64,
        /// The pages of the whole database.
        page_count: u64,
    },
    /// A database is being checked. `SQLite` does not report how far the check has come.
    Checking,
    /// DynamoDB is making a table.
    WaitingForTable,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copying { pages, page_count } => {
                let percent = (pages * 100).checked_div(*page_count).unwrap_or(100);
                write!(f, "copying the database: {percent} %")
            }
            Self::Checking => f.write_str("checking the database"),
            Self::WaitingForTable => f.write_str("waiting until the table can be used"),
        }
    }
}

/// Writes a line about the current stage at a fixed interval until it is dropped. A command that takes less than the
/// interval writes none.
pub struct ProgressReporter {
    stage: Arc<Mutex<Option<Stage>>>,
    /// Dropped to stop the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ProgressReporter {
    /// Starts to report on stderr: every 2 seconds on a terminal, every 30 elsewhere.
    pub fn on_stderr() -> Self {
        let interval = if io::stderr().is_terminal() { TERMINAL_INTERVAL } else { FILE_INTERVAL };
        Self::start(interval, |line| {
            // The command continues if stderr is closed.
            let _ = writeln!(io::stderr(), "imageshare: {line}");
        })
    }

    /// Starts to report through `write`, on a thread of its own, since the database blocks the command's thread. If no
    /// thread can be started, nothing is reported.
    fn start(interval: Duration, write: impl Fn(&str) + Send + 'static) -> Self {
        let stage = Arc::new(Mutex::new(None));
        let (stop, stopped) = mpsc::channel::<()>();
        let (started, current) = (Instant::now(), Arc::clone(&stage));
        let report = move || {
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let stage = *current.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(stage) = stage {
                    write(&format_line(stage, started.elapsed()));
                }
            }
        };
        let thread = thread::Builder::new().name("progress".to_owned()).spawn(report).ok();
        Self { stage, stop: Some(stop), thread }
    }

    /// Sets the stage that the next line is about.
    pub fn set(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = Some(stage);
    }
}

impl Drop for ProgressReporter {
    /// Returns when no more lines will be written.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn format_line(stage: Stage, elapsed: Duration) -> String {
    format!("{stage} ({} s)", elapsed.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_has_stage_percentage_and_elapsed_time() {
        let copying = |pages, page_count| Stage::Copying { pages, page_count };
        let after = Duration::from_millis(12_900);
        assert_eq!(format_line(copying(1, 3), after), "copying the database: 33 % (12 s)");
        assert_eq!(format_line(copying(0, 0), after), "copying the database: 100 % (12 s)");
        assert_eq!(format_line(Stage::Checking, after), "checking the database (12 s)");
    }

    #[test]
    fn lines_follow_the_stage_and_end_with_the_reporter() {
        let (lines, written) = mpsc::channel();
        let reporter = ProgressReporter::start(Duration::from_millis(1), move |line| {
            // The test may have read enough.
            let _ = lines.send(line.to_owned());
        });
        for (stage, wanted) in [
            (Stage::Copying { pages: 1, page_count: 2 }, "copying the database: 50 %"),
            (Stage::Checking, "checking the database"),
        ] {
            reporter.set(stage);
            assert!(written.iter().any(|line| line.starts_with(wanted)), "{wanted}");
        }
        drop(reporter);
        // The thread owned the sender, so the iteration ends.
        written.iter().for_each(drop);
    }

    #[test]
    fn quick_command_writes_nothing() {
        let (lines, written) = mpsc::channel();
        let reporter = ProgressReporter::start(Duration::from_hours(1), move |line| {
            lines.send(line.to_owned()).unwrap();
        });
        reporter.set(Stage::Checking);
        drop(reporter);
        assert_eq!(written.iter().count(), 0);
    }
}
