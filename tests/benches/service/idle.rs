//! The memory of an idle server, and how soon it is ready.

use std::time::{Duration, Instant};

use crate::{print_figure, server};

pub async fn run() {
    let begun = Instant::now();
    let memory = server::start_in_memory().await;
    print_figure("start, until it listens", &crate::load::format_millis(begun.elapsed()), "");
    tokio::time::sleep(Duration::from_secs(2)).await;
    print_figure(
        "idle, table in memory: resident",
        &format_megabytes(memory.resident_bytes()),
        "under 40 MB",
    );
    drop(memory);
    let (disk, _directory) = server::start_on_disk().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    print_figure("idle, table on disk: resident", &format_megabytes(disk.resident_bytes()), "under 40 MB");
}

fn format_megabytes(bytes: u64) -> String {
    format!("{:.1} MB", f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1000.0)
}
