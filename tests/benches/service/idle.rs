//! What a server that has nothing to do holds in memory, and how soon it is ready.

use std::time::{Duration, Instant};

use crate::{figure, server};

pub async fn run() {
    let begun = Instant::now();
    let memory = server::in_memory().await;
    figure("start, until it listens", &crate::load::millis(begun.elapsed()), "");
    tokio::time::sleep(Duration::from_secs(2)).await;
    figure("idle, table in memory: resident", &mebibytes(memory.resident_bytes()), "under 40 MB");
    drop(memory);
    let (disk, _directory) = server::on_disk().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    figure("idle, table on disk: resident", &mebibytes(disk.resident_bytes()), "under 40 MB");
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MB", f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1000.0)
}
