//! A machine's clock that is set forward and back, and drifts: one for each life of the server.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The range of a clock's error and of its jump: less than the leeway for a token's times.
const MAX_OFFSET_MS: i64 = 10_000;

/// The range of a clock's drift, in thousandths.
const MAX_DRIFT_PER_MILLE: i64 = 300;

/// A library that gives a process the wrong time, built with the toolchain's C compiler.
pub struct SkewedClock {
    directory: TempDir,
}

impl SkewedClock {
    pub fn build() -> Self {
        let directory = TempDir::new().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/power_cut/clock.c");
        let clock = Self { directory };
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(clock.library())
            .arg(source)
            .status()
            .expect("a C compiler, as the Rust toolchain needs it to link");
        assert!(built.success(), "the clock could not be built");
        clock
    }

    fn library(&self) -> PathBuf {
        self.directory.path().join("clock.so")
    }

    /// The environment of a process whose clock is wrong by a constant, at most `most_ms` in either direction.
    pub fn constant(&self, random: &mut fastrand::Rng, most_ms: i64) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library().display().to_string()),
            ("CLOCK_AHEAD_MS", random.i64(-most_ms..=most_ms).to_string()),
        ]
    }

    /// The environment of a process with a random clock error, whose clock jumps once within this lifetime.
    pub fn environment(&self, random: &mut fastrand::Rng, life_ms: u64) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library().display().to_string()),
            ("CLOCK_AHEAD_MS", random.i64(-MAX_OFFSET_MS..=MAX_OFFSET_MS).to_string()),
            ("CLOCK_DRIFT_PER_MILLE", random.i64(-MAX_DRIFT_PER_MILLE..=MAX_DRIFT_PER_MILLE).to_string()),
            ("CLOCK_JUMP_AFTER_MS", random.u64(..life_ms).to_string()),
            ("CLOCK_JUMP_MS", random.i64(-MAX_OFFSET_MS..=MAX_OFFSET_MS).to_string()),
        ]
    }
}
