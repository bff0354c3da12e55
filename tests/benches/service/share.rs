//! How many shares per second are acknowledged, how many are finished, and the latency of both.

use std::sync::Arc;
use std::time::Instant;

use imageshare_tests::server_process::ServerProcess;

use crate::client::Client;
use crate::load::{CLIENTS, LoadResult, format_millis};
use crate::{baseline, print_figure, server};

pub async fn in_memory() {
    let memory = server::start_in_memory().await;
    let load = run_share_load(&memory).await;
    print_figure(
        "share, in memory, 16 clients: acknowledged a second",
        &format!("{:.0}", load.requests_per_second()),
        "3,000 or more",
    );
    print_figure("share, in memory, 16 clients: median", &format_millis(load.percentile(50)), "");
    print_figure(
        "share, in memory, 16 clients: 99th percentile",
        &format_millis(load.percentile(99)),
        "under 20 ms",
    );
}

/// Compared with one bare put per request at the same table, in the same run.
pub async fn on_disk() {
    let (bare, in_process) = (baseline::over_http().await, baseline::in_process().await);
    let (disk, _directory) = server::start_on_disk().await;
    let load = run_share_load(&disk).await;
    print_figure(
        "share, on disk, 16 clients: acknowledged a second",
        &format!("{:.0}", load.requests_per_second()),
        "",
    );
    print_figure("share, on disk: 99th percentile", &format_millis(load.percentile(99)), "");
    print_figure(
        "bare conditional put a request, on disk, 16 clients: a second",
        &format!("{:.0}", bare.requests_per_second()),
        "",
    );
    print_figure("share, on disk, to that", &format_percent(&load, &bare), "60 % or more");
    print_figure(
        "bare conditional puts on disk, in process, 16 tasks: a second",
        &format!("{:.0}", in_process.requests_per_second()),
        "",
    );
    print_figure("share, on disk, to that", &format_percent(&load, &in_process), "");
}

fn format_percent(load: &LoadResult, peer: &LoadResult) -> String {
    format!("{:.0} %", 100.0 * load.requests_per_second() / peer.requests_per_second())
}

#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 requests")]
fn format_finished_rate(load: &LoadResult, begun: Instant) -> String {
    format!("{:.0}", load.sent_requests() as f64 / begun.elapsed().as_secs_f64())
}

/// Each client shares its own image with one new project at a time.
async fn run_share_load(server: &ServerProcess) -> LoadResult {
    let token = server.token("bench", "member");
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut client = Client::connect(&server.address, &token).await;
        let mut images = Vec::new();
        for _ in 0..10 {
            images.push(client.create_image().await);
        }
        clients.push((client, Arc::new(images), number));
    }
    let (cpu, begun) = (server.cpu_time(), Instant::now());
    let load = LoadResult::run(clients, |(mut client, images, number), request| async move {
        let image = &images[usize::try_from(request).unwrap_or_default() % images.len()];
        let body = format!(r#"{{"images":["{image}"],"projects":["project-{number}-{request}"]}}"#);
        let (status, response) = client.send("POST", "/v1/cloudimages/members", &body).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&response));
        (client, images, number)
    })
    .await;
    let cpu =
        server.cpu_time().saturating_sub(cpu) * 1_000_000 / u32::try_from(load.sent_requests()).unwrap_or(1);
    let per_request = format!("{:.0} µs", cpu.as_secs_f64());
    print_figure("  … server CPU a request, with as much of its job's work as was done", &per_request, "");
    let acknowledged = Instant::now();
    let mut client = Client::connect(&server.address, &token).await;
    let image = client.create_image().await;
    let last = client.share(&[image], &["last".to_owned()]).await;
    client.wait_for_success(&last).await;
    print_figure(
        "  … until the job behind the last of them had ended",
        &format_millis(acknowledged.elapsed()),
        "",
    );
    print_figure(
        "  … shares finished a second, from the first request to that end",
        &format_finished_rate(&load, begun),
        "",
    );
    load
}
