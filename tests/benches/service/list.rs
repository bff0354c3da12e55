//! Whether a list page and a write cost the same with many memberships.

use std::time::{Duration, Instant};

use imageshare_tests::server_process::ServerProcess;
use serde_json::Value;

use crate::client::Client;
use crate::load::{CLIENTS, format_millis};
use crate::{print_figure, server};

/// Memberships of the project with many.
const MANY_MEMBERSHIPS: usize = 100_000;

pub async fn run() {
    let server = server::start_in_memory().await;
    let mut owner = Client::connect(&server.address, &server.token("owner", "member")).await;
    let few: Vec<String> = create_images(&server, 10).await;
    let job = owner.share(&few, &["few".to_owned()]).await;
    owner.wait_for_success(&job).await;
    let first = share_latency(&mut owner, "early").await;

    let many = create_images(&server, MANY_MEMBERSHIPS).await;
    let mut last = String::new();
    for images in many.chunks(100) {
        last = owner.share(images, &["many".to_owned()]).await;
        owner.wait_for_success(&last).await;
    }
    owner.wait_for_success(&last).await;
    let later = share_latency(&mut owner, "late").await;

    let mut client = Client::connect(&server.address, &server.token("few", "reader")).await;
    print_figure(
        "page of 10 of 10 pending images",
        &format_millis(page_latency(&mut client, "").await),
        "under 5 ms",
    );
    let mut client = Client::connect(&server.address, &server.token("many", "reader")).await;
    print_figure(
        "page of 100 of 100,000 pending images",
        &format_millis(page_latency(&mut client, "").await),
        "under 5 ms",
    );
    // Each client registered its part in order of time; the middle of a part is the middle of the list.
    let middle = many.get(MANY_MEMBERSHIPS / CLIENTS / 2).expect("an image");
    let after = format!("&marker={middle}");
    print_figure(
        "page of 100 in the middle of 100,000",
        &format_millis(page_latency(&mut client, &after).await),
        "under 5 ms",
    );
    print_figure("share request with few memberships in the table, median", &format_millis(first), "");
    print_figure(
        "share request with 100,000 memberships in the table, median",
        &format_millis(later),
        "the same",
    );
}

/// Registers images of the project `owner`, by several clients.
pub async fn create_images(server: &ServerProcess, count: usize) -> Vec<String> {
    let token = server.token("owner", "member");
    let tasks: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (address, token) = (server.address.clone(), token.clone());
            tokio::spawn(async move {
                let mut client = Client::connect(&address, &token).await;
                let mut images = Vec::new();
                for _ in (number..count).step_by(CLIENTS) {
                    images.push(client.create_image().await);
                }
                images
            })
        })
        .collect();
    let mut images = Vec::with_capacity(count);
    for task in tasks {
        images.extend(task.await.expect("a client"));
    }
    images
}

/// The median time of a page of 100.
async fn page_latency(client: &mut Client, after: &str) -> Duration {
    let target = format!("/v2/cloudimages?__imagetype=shared&member_status=pending&limit=100{after}");
    let mut times = Vec::new();
    for _ in 0..101 {
        let begun = Instant::now();
        let (status, response) = client.send("GET", &target, "").await;
        times.push(begun.elapsed());
        assert_eq!(status, 200);
        // Parsing the JSON is left out, since it is the client's work.
        let page: Value = serde_json::from_slice(&response).expect("JSON");
        assert!(page["images"].as_array().is_some_and(|images| images.len() == 100 || images.len() == 10));
    }
    times.sort();
    times[50]
}

/// The median time of a share request if the previous job has ended.
async fn share_latency(client: &mut Client, name: &str) -> Duration {
    let image = client.create_image().await;
    let mut times = Vec::new();
    for number in 0..201 {
        let begun = Instant::now();
        let job = client.share(std::slice::from_ref(&image), &[format!("{name}-{number}")]).await;
        times.push(begun.elapsed());
        client.wait_for_success(&job).await;
    }
    times.sort();
    times[100]
}
