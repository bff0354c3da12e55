//! The signals that end the server: from a terminal, from a service manager, and when the terminal is closed.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for signals.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None where the server was started so that it outlives its terminal, as by `nohup`.
    hangup: Option<Signal>,
}

impl Signals {
    /// From now on, the signals end the process no more.
    ///
    /// # Errors
    /// The system does not tell of signals.
    pub fn listen() -> io::Result<Self> {
        let hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup,
        })
    }

    /// The name of the next signal.
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

/// Whether whoever started the process has had it ignore `SIGHUP`; not known where there is no `/proc`.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("SigIgn:")).is_some_and(contains_hangup)
}

/// Whether a set of signals, in hexadecimal digits, has `SIGHUP` in it: the first of them.
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
