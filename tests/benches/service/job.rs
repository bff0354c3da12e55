//! How long a job of 10,000 pairs takes, from the request to its success.

use std::time::Instant;

use imageshare_tests::server_process::ServerProcess;

use crate::client::Client;
use crate::load::format_millis;
use crate::{print_figure, server};

pub async fn run() {
    let memory = server::start_in_memory().await;
    print_figure(
        "job of 100 images × 100 projects, in memory",
        &share_ten_thousand_pairs(&memory).await,
        "under 10 s",
    );
    drop(memory);
    let (disk, _directory) = server::start_on_disk().await;
    print_figure(
        "job of 100 images × 100 projects, on disk",
        &share_ten_thousand_pairs(&disk).await,
        "under 10 s",
    );
}

async fn share_ten_thousand_pairs(server: &ServerProcess) -> String {
    let mut client = Client::connect(&server.address, &server.token("bench", "member")).await;
    let mut images = Vec::new();
    for _ in 0..100 {
        images.push(client.create_image().await);
    }
    let projects: Vec<String> = (0..100).map(|number| format!("project-{number}")).collect();
    let begun = Instant::now();
    let job = client.share(&images, &projects).await;
    client.wait_for_success(&job).await;
    format_millis(begun.elapsed())
}
