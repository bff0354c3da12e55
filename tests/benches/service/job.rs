//! How long a job of 10,000 pairs takes, from the request to its success.

use std::time::Instant;

use imageshare_tests::server::Server;

use crate::client::Client;
use crate::load::millis;
use crate::{figure, server};

pub async fn run() {
    let memory = server::in_memory().await;
    figure("job of 100 images × 100 projects, in memory", &ten_thousand_pairs(&memory).await, "under 10 s");
    drop(memory);
    let (disk, _directory) = server::on_disk().await;
    figure("job of 100 images × 100 projects, on disk", &ten_thousand_pairs(&disk).await, "under 10 s");
}

async fn ten_thousand_pairs(server: &Server) -> String {
    let mut client = Client::connect(&server.address, &server.token("bench", "member")).await;
    let mut images = Vec::new();
    for _ in 0..100 {
        images.push(client.image().await);
    }
    let projects: Vec<String> = (0..100).map(|number| format!("project-{number}")).collect();
    let begun = Instant::now();
    let job = client.share(&images, &projects).await;
    client.succeeded(&job).await;
    millis(begun.elapsed())
}
