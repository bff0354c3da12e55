//! Share requests on a disk with slow flushes.
//!
//! If a disk flushes in microseconds, the processor limits every figure. So this part runs the benchmark's part
//! `share` once more, with a library preloaded that makes each flush take a millisecond longer, as on many disks. It
//! needs the C compiler that the embedded database is built with.

use std::env;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// libc's `fsync` and `fdatasync`, each after a millisecond.
const SLOW_FLUSH_SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static int later(const char *name, int file) {
    struct timespec millisecond = { 0, 1000000 };
    nanosleep(&millisecond, 0);
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(file);
}
int fsync(int file) { return later("fsync", file); }
int fdatasync(int file) { return later("fdatasync", file); }
"#;

pub fn run() {
    let directory = TempDir::new().expect("a directory");
    let library = compile_library(directory.path());
    println!("with flushes that take a millisecond longer:");
    let ended = Command::new(env::current_exe().expect("this program"))
        .arg("disk")
        .env("LD_PRELOAD", library)
        .env("CARGO", "true")
        .status();
    assert!(ended.is_ok_and(|status| status.success()), "the part `disk` failed");
}

fn compile_library(directory: &Path) -> std::path::PathBuf {
    let (source, library) = (directory.join("slow.c"), directory.join("slow.so"));
    std::fs::write(&source, SLOW_FLUSH_SOURCE).expect("a file");
    let compiled = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .status();
    assert!(compiled.is_ok_and(|status| status.success()), "cc failed");
    library
}
