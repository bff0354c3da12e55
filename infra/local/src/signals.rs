//! The signals that stop the server: from a terminal, from a service manager, and when the terminal is closed.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A listener for SIGINT, SIGTERM and SIGHUP.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if the server was started to outlive its terminal, as by `nohup`.
    hangup: Option<Signal>,
}

impl Signals {
    /// Starts to listen. From now on, these signals no longer end the process.
    ///
    /// # Errors
    /// The system does not let the process handle signals.
    pub fn listen() -> io::Result<Self> {
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// Waits for the next signal, and returns its name.
    pub async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = hangup => "SIGHUP",
        }
    }
}

/// Whether the process was started with `SIGHUP` ignored; `false` on systems without `/proc`.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("SigIgn:")).is_some_and(contains_hangup)
}

/// Whether a signal mask, in hexadecimal, has `SIGHUP`, which is signal 1.
fn contains_hangup(signals: &str) -> bool {
    u64::from_str_radix(signals.trim(), 16).is_ok_and(|signals| signals & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangup_is_the_lowest_bit_of_a_signal_mask() {
        assert!(contains_hangup("\t0000000000000001") && contains_hangup("0000000000001001"));
        assert!(!contains_hangup("\t0000000000001000") && !contains_hangup(""));
    }
}
