//! A part of one CPU, as Lambda gives it to a function: a control group of Linux with a quota.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The memory of a function that has one whole CPU.
const MEMORY_OF_ONE_CPU: u32 = 1769;

/// How often the quota is given again. Lambda's period is not documented; this one is that of earlier measurements.
const PERIOD_MICROS: u32 = 20_000;

/// A control group with the share of a memory size. Needs the right to create one, which root has.
pub struct CpuGroup {
    memory: u32,
    directory: PathBuf,
    launchers: TempDir,
}

impl CpuGroup {
    /// Creates a group with the share of a CPU of a function with this memory.
    ///
    /// # Errors
    /// There are no control groups, or they cannot be changed.
    pub fn create(memory: u32) -> io::Result<Self> {
        let quota = PERIOD_MICROS * memory / MEMORY_OF_ONE_CPU;
        let first = Path::new("/sys/fs/cgroup/cpu");
        let is_first_version = first.is_dir();
        let root = if is_first_version { first } else { Path::new("/sys/fs/cgroup") };
        let directory = root.join(format!("imageshare-{memory}-{}", std::process::id()));
        fs::create_dir(&directory)?;
        let group = Self { memory, directory, launchers: TempDir::new()? };
        if is_first_version {
            group.set("cpu.cfs_period_us", &PERIOD_MICROS.to_string())?;
            group.set("cpu.cfs_quota_us", &quota.to_string())?;
        } else {
            group.set("cpu.max", &format!("{quota} {PERIOD_MICROS}"))?;
        }
        Ok(group)
    }

    /// The memory size in MB.
    pub fn memory(&self) -> u32 {
        self.memory
    }

    /// Moves a process and its threads into the group.
    pub fn add(&self, process_id: u32) {
        self.set("cgroup.procs", &process_id.to_string()).expect("a process of this program can be moved");
    }

    /// A program that runs a binary in the group. It is a script, whose shell takes about a millisecond of the share.
    pub fn launcher(&self, binary: &Path) -> PathBuf {
        let script = self.launchers.path().join(binary.file_name().expect("a binary has a name"));
        if !script.exists() {
            let procs = self.directory.join("cgroup.procs");
            let text = format!("#!/bin/sh\necho $$ > {}\nexec {}\n", procs.display(), binary.display());
            fs::write(&script, text).expect("our own file");
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("our own file");
        }
        script
    }

    fn set(&self, name: &str, value: &str) -> io::Result<()> {
        fs::write(self.directory.join(name), value)
    }
}

impl Drop for CpuGroup {
    fn drop(&mut self) {
        // It stays if a process is left in it, which then is the failure to look at.
        let _ = fs::remove_dir(&self.directory);
    }
}
