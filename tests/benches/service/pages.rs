//! The pages of the console: their time, and what they send.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::Client;
use crate::load::format_millis;
use crate::{print_figure, server};

/// The rows of a page of a list.
const ROWS: usize = 25;
/// How often each page is opened.
const VIEWS: usize = 500;

pub async fn run() {
    let server = server::start_in_memory().await;
    let mut owner = Client::connect(&server.address, &server.token("owner", "member")).await;
    let mut images = Vec::new();
    for number in 0..=ROWS {
        let image = json!({ "name": format!("ubuntu-24.04-server-{number}"), "tags": ["golden"] });
        images.push(
            owner.send_json("POST", "/v2/images", &image).await["id"].as_str().expect("an id").to_owned(),
        );
    }
    let job = owner.share(&images, &["recipient".to_owned()]).await;
    owner.wait_for_success(&job).await;
    let mut browser = Client::connect_browser(&server.address, &server.token("owner", "member")).await;
    let mut shared = Client::connect_browser(&server.address, &server.token("recipient", "member")).await;
    let pages = [
        (&mut browser, "/console/images", "Private Images, 25 rows"),
        (&mut shared, "/console/shared", "Images Shared with Me, 25 pending"),
    ];
    for (browser, path, name) in pages {
        let (time, html) = open(browser, path).await;
        print_figure(&format!("page {name}: median of {VIEWS}"), &format_millis(time), "under 8 ms");
        let assets = assets(browser, &html).await;
        print_figure(
            "… first view, with styles, script and icon",
            &format_bytes(html.len() + assets),
            "under 40 kB",
        );
        print_figure("… later views", &format_bytes(html.len()), "under 20 kB");
    }
}

/// Opens a page many times, and returns its median time and its HTML.
async fn open(browser: &mut Client, path: &str) -> (Duration, String) {
    let mut times = Vec::with_capacity(VIEWS);
    let mut html = Vec::new();
    for _ in 0..VIEWS {
        let begun = Instant::now();
        let (status, body) = browser.send("GET", path, "").await;
        times.push(begun.elapsed());
        assert_eq!(status, 200, "{path}");
        html = body;
    }
    times.sort_unstable();
    let html = String::from_utf8(html).expect("text");
    assert_eq!(html.matches("<tr>").count(), ROWS + 1, "{path}");
    (times[VIEWS / 2], html)
}

/// The bytes of what a page loads.
async fn assets(browser: &mut Client, html: &str) -> usize {
    let addresses = html.split('"').filter(|text| text.starts_with("/console/assets/"));
    let mut bytes = 0;
    for address in addresses {
        let (status, asset) = browser.send("GET", address, "").await;
        assert_eq!(status, 200, "{address}");
        bytes += asset.len();
    }
    bytes
}

fn format_bytes(bytes: usize) -> String {
    format!("{bytes} bytes")
}
