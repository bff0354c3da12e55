//! How many shares a second are acknowledged and how many are finished, and how long each takes.

use std::sync::Arc;
use std::time::Instant;

use imageshare_tests::server::Server;

use crate::client::Client;
use crate::load::{CLIENTS, Load, millis};
use crate::{bare, figure, server};

pub async fn in_memory() {
    let memory = server::in_memory().await;
    let load = shares(&memory).await;
    figure(
        "share, in memory, 16 clients: acknowledged a second",
        &format!("{:.0}", load.rate()),
        "3,000 or more",
    );
    figure("share, in memory, 16 clients: median", &millis(load.percentile(50)), "");
    figure("share, in memory, 16 clients: 99th percentile", &millis(load.percentile(99)), "under 20 ms");
}

/// Beside what the table does with one bare put a request, in the same run.
pub async fn on_disk() {
    let (bare, in_process) = (bare::over_http().await, bare::in_process().await);
    let (disk, _directory) = server::on_disk().await;
    let load = shares(&disk).await;
    figure("share, on disk, 16 clients: acknowledged a second", &format!("{:.0}", load.rate()), "");
    figure("share, on disk: 99th percentile", &millis(load.percentile(99)), "");
    figure(
        "bare conditional put a request, on disk, 16 clients: a second",
        &format!("{:.0}", bare.rate()),
        "",
    );
    figure("share, on disk, to that", &percent(&load, &bare), "60 % or more");
    figure(
        "bare conditional puts on disk, in process, 16 tasks: a second",
        &format!("{:.0}", in_process.rate()),
        "",
    );
    figure("share, on disk, to that", &percent(&load, &in_process), "");
}

fn percent(load: &Load, peer: &Load) -> String {
    format!("{:.0} %", 100.0 * load.rate() / peer.rate())
}

#[allow(clippy::cast_precision_loss)]
fn finished(load: &Load, begun: Instant) -> String {
    format!("{:.0}", load.sent() as f64 / begun.elapsed().as_secs_f64())
}

/// Each client shares its own image with one new project at a time.
async fn shares(server: &Server) -> Load {
    let token = server.token("bench", "member");
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut client = Client::connect(&server.address, &token).await;
        let mut images = Vec::new();
        for _ in 0..10 {
            images.push(client.image().await);
        }
        clients.push((client, Arc::new(images), number));
    }
    let (cpu, begun) = (server.cpu_time(), Instant::now());
    let load = Load::run(clients, |(mut client, images, number), request| async move {
        let image = &images[usize::try_from(request).unwrap_or_default() % images.len()];
        let body = format!(r#"{{"images":["{image}"],"projects":["project-{number}-{request}"]}}"#);
        let (status, answer) = client.send("POST", "/v1/cloudimages/members", &body).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        (client, images, number)
    })
    .await;
    let cpu = server.cpu_time().saturating_sub(cpu) * 1_000_000 / u32::try_from(load.sent()).unwrap_or(1);
    let per_request = format!("{:.0} µs", cpu.as_secs_f64());
    figure("  … server CPU a request, with as much of its job's work as was done", &per_request, "");
    let acknowledged = Instant::now();
    let mut client = Client::connect(&server.address, &token).await;
    let image = client.image().await;
    let last = client.share(&[image], &["last".to_owned()]).await;
    client.succeeded(&last).await;
    figure("  … until the job behind the last of them had ended", &millis(acknowledged.elapsed()), "");
    figure("  … shares finished a second, from the first request to that end", &finished(&load, begun), "");
    load
}
