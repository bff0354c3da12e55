//! How many share requests a second are acknowledged, and how long each takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use aws_sdk_dynamodb::types::AttributeValue;
use imageshare::store::Store;
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::server::Server;
use tempfile::TempDir;

use crate::client::Client;
use crate::load::{CLIENTS, Load, millis};
use crate::{figure, server};

pub async fn run() {
    let memory = server::in_memory().await;
    let load = shares(&memory).await;
    figure(
        "share, in memory, 16 clients: acknowledged a second",
        &format!("{:.0}", load.rate()),
        "3,000 or more",
    );
    figure("share, in memory, 16 clients: median", &millis(load.percentile(50)), "");
    figure("share, in memory, 16 clients: 99th percentile", &millis(load.percentile(99)), "under 20 ms");
    drop(memory);

    let bare = bare_puts().await;
    let (disk, _directory) = server::on_disk().await;
    let load = shares(&disk).await;
    figure(
        "bare conditional puts on disk, in process, 16 tasks: a second",
        &format!("{:.0}", bare.rate()),
        "",
    );
    figure("share, on disk, 16 clients: acknowledged a second", &format!("{:.0}", load.rate()), "");
    figure("share, on disk: 99th percentile", &millis(load.percentile(99)), "");
    figure(
        "share, on disk, to bare puts",
        &format!("{:.0} %", 100.0 * load.rate() / bare.rate()),
        "60 % or more",
    );
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
    let cpu = server.cpu_time();
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
    let begun = Instant::now();
    let mut client = Client::connect(&server.address, &token).await;
    let image = client.image().await;
    let last = client.share(&[image], &["last".to_owned()]).await;
    client.succeeded(&last).await;
    figure("  … until the job behind the last of them had ended", &millis(begun.elapsed()), "");
    load
}

/// What the embedded table does alone: 16 tasks that each put one new item under a condition.
async fn bare_puts() -> Load {
    let directory = TempDir::new().expect("a directory");
    let client = EmbeddedTable::open(Some(directory.path())).expect("a table").client(Lane::Request);
    Store::new(client.clone(), "bare").create_table().await.expect("a table");
    let ids = Arc::new(AtomicU64::new(0));
    let clients = vec![(client, ids); CLIENTS];
    Load::run(clients, |(client, ids), _| async move {
        let id = ids.fetch_add(1, Ordering::Relaxed);
        client
            .put_item()
            .table_name("bare")
            .item("pk", AttributeValue::S(format!("J#{id:032x}")))
            .item("sk", AttributeValue::S("A".to_owned()))
            .item("job", AttributeValue::S("x".repeat(200)))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await
            .expect("a put");
        (client, ids)
    })
    .await
}
