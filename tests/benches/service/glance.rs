//! Glance's own calls, compared with a real Glance 33 on a machine of the same kind: two uWSGI workers over MariaDB
//! with durable commits, 16 clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use imageshare_tests::server_process::ServerProcess;
use serde_json::{Value, json};

use crate::client::Client;
use crate::load::{CLIENTS, LoadResult, format_millis};
use crate::{print_figure, server};

/// What Glance took for a call: processor time per request, and requests per second.
struct GlanceFigures {
    call: &'static str,
    cpu_micros: f64,
    requests_per_second: f64,
}

const CREATE_MEMBER: GlanceFigures =
    GlanceFigures { call: "Glance: create a member", cpu_micros: 8_400.0, requests_per_second: 145.0 };
const ACCEPT_SHARE: GlanceFigures =
    GlanceFigures { call: "Glance: accept", cpu_micros: 7_700.0, requests_per_second: 136.0 };
const LIST_MEMBERS: GlanceFigures =
    GlanceFigures { call: "Glance: list 10 members", cpu_micros: 8_300.0, requests_per_second: 170.0 };
const LIST_IMAGES: GlanceFigures =
    GlanceFigures { call: "Glance: list 25 shared images", cpu_micros: 14_700.0, requests_per_second: 89.0 };

pub async fn run() {
    let memory = server::start_in_memory().await;
    compare_calls(&memory, "in memory", 20).await;
    let thousand = list_thousand_members(&memory).await;
    print_figure("Glance: list 1,000 members, one client, median", &format_millis(thousand), "under 10 ms");
    drop(memory);
    let (disk, _directory) = server::start_on_disk().await;
    compare_calls(&disk, "on disk", 8).await;
}

async fn compare_calls(server: &ServerProcess, place: &str, times: u32) {
    for (peer, load) in [
        (CREATE_MEMBER, create_members(server).await),
        (ACCEPT_SHARE, accept_shares(server).await),
        (LIST_MEMBERS, list_members(server).await),
        (LIST_IMAGES, list_images(server).await),
    ] {
        let (load, cpu) = load;
        let rate = format!(
            "{:.0} ({:.0} ×)",
            load.requests_per_second(),
            load.requests_per_second() / peer.requests_per_second
        );
        print_figure(
            &format!("{}, {place}: a second", peer.call),
            &rate,
            &format!("{times} × Glance or more"),
        );
        let micros = cpu.as_secs_f64() * 1e6;
        let cpu = format!("{micros:.0} µs (1/{:.0})", peer.cpu_micros / micros);
        print_figure("  … server CPU a request", &cpu, "1/50 of Glance or less");
    }
}

/// Loads a server. Also returns its processor time per request.
async fn measure_load<C, F, R>(server: &ServerProcess, clients: Vec<C>, request: F) -> (LoadResult, Duration)
where
    C: Send + 'static,
    F: Fn(C, u64) -> R + Clone + Send + 'static,
    R: Future<Output = C> + Send,
{
    let before = server.cpu_time();
    let load = LoadResult::run(clients, request).await;
    let took =
        server.cpu_time().saturating_sub(before) * 1_000 / u32::try_from(load.sent_requests()).unwrap_or(1);
    (load, took / 1_000)
}

async fn create_members(server: &ServerProcess) -> (LoadResult, Duration) {
    let token = server.token("owner", "member");
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let mut client = Client::connect(&server.address, &token).await;
        let mut images = Vec::new();
        for _ in 0..10 {
            images.push(client.create_image().await);
        }
        clients.push((client, Arc::new(images), number));
    }
    measure_load(server, clients, |(mut client, images, number), request| async move {
        let image = &images[usize::try_from(request).unwrap_or_default() % images.len()];
        let body = format!(r#"{{"member":"project-{number}-{request}"}}"#);
        let (status, response) = client.send("POST", &format!("/v2/images/{image}/members"), &body).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&response));
        (client, images, number)
    })
    .await
}

/// Each client accepts and rejects alternately, so that each request changes something.
async fn accept_shares(server: &ServerProcess) -> (LoadResult, Duration) {
    let mut owner = Client::connect(&server.address, &server.token("owner", "member")).await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let image = owner.create_image().await;
        let member = format!("recipient-{number}");
        owner.send_json("POST", &format!("/v2/images/{image}/members"), &json!({ "member": member })).await;
        let client = Client::connect(&server.address, &server.token(&member, "member")).await;
        clients.push((client, format!("/v2/images/{image}/members/{member}")));
    }
    measure_load(server, clients, |(mut client, member), request| async move {
        let status = if request % 2 == 0 { "accepted" } else { "rejected" };
        let (status, response) = client.send("PUT", &member, &format!(r#"{{"status":"{status}"}}"#)).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&response));
        (client, member)
    })
    .await
}

async fn list_members(server: &ServerProcess) -> (LoadResult, Duration) {
    let token = server.token("owner", "member");
    let mut owner = Client::connect(&server.address, &token).await;
    let image = owner.create_image().await;
    for number in 0..10 {
        let member = json!({ "member": format!("project-{number}") });
        owner.send_json("POST", &format!("/v2/images/{image}/members"), &member).await;
    }
    read_list(server, &token, format!("/v2/images/{image}/members"), ("members", 10)).await
}

async fn list_images(server: &ServerProcess) -> (LoadResult, Duration) {
    let mut owner = Client::connect(&server.address, &server.token("owner", "member")).await;
    let token = server.token("inbox", "member");
    let mut recipient = Client::connect(&server.address, &token).await;
    for _ in 0..25 {
        let members = format!("/v2/images/{}/members", owner.create_image().await);
        owner.send_json("POST", &members, &json!({ "member": "inbox" })).await;
        recipient.send_json("PUT", &format!("{members}/inbox"), &json!({ "status": "accepted" })).await;
    }
    read_list(server, &token, "/v2/images?visibility=shared".to_owned(), ("images", 25)).await
}

/// Each client reads the same list, which has this many images.
async fn read_list(
    server: &ServerProcess,
    token: &str,
    path: String,
    holds: (&'static str, usize),
) -> (LoadResult, Duration) {
    let (mut clients, path) = (Vec::new(), Arc::new(path));
    for _ in 0..CLIENTS {
        let mut client = Client::connect(&server.address, token).await;
        let list = client.send_json("GET", &path, &Value::Null).await;
        assert_eq!(list[holds.0].as_array().map(Vec::len), Some(holds.1), "{list}");
        clients.push((client, Arc::clone(&path)));
    }
    measure_load(server, clients, |(mut client, path), _| async move {
        let (status, _) = client.send("GET", &path, "").await;
        assert_eq!(status, 200);
        (client, path)
    })
    .await
}

async fn list_thousand_members(server: &ServerProcess) -> Duration {
    let mut owner = Client::connect(&server.address, &server.token("owner", "member")).await;
    let image = owner.create_image().await;
    for first in (0..1_000).step_by(100) {
        let projects: Vec<String> = (first..first + 100).map(|number| format!("project-{number}")).collect();
        let job = owner.share(std::slice::from_ref(&image), &projects).await;
        owner.wait_for_success(&job).await;
    }
    let mut times = Vec::new();
    for _ in 0..101 {
        let begun = Instant::now();
        let (_, response) = owner.send("GET", &format!("/v2/images/{image}/members"), "").await;
        times.push(begun.elapsed());
        // Parsing the JSON is left out, since it is the client's work.
        let list: Value = serde_json::from_slice(&response).expect("JSON");
        assert_eq!(list["members"].as_array().map(Vec::len), Some(1_000));
    }
    times.sort();
    times[50]
}
