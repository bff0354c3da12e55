//! The pages of the console: their time, and what they send.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::list::create_images;
use crate::load::format_millis;
use crate::{print_figure, server};

/// The rows of a page of a list.
const ROWS: usize = 25;
/// How often each page is opened.
const VIEWS: usize = 500;

/// The images that wait for the project with many.
const MANY_IMAGES: usize = 10_000;

pub async fn run() {
    let server = server::start_in_memory().await;
    let images = create_images(&server, MANY_IMAGES).await;
    let mut owner = Client::connect(&server.address, &server.token("owner", "member")).await;
    for (recipient, images) in [("few", &images[..=ROWS]), ("many", &images)] {
        for images in images.chunks(100) {
            let job = owner.share(images, &[recipient.to_owned()]).await;
            owner.wait_for_success(&job).await;
        }
    }
    for (project, path, name) in [
        ("owner", "/console/images", "Private Images, 25 rows"),
        ("few", "/console/shared", "Images Shared with Me, 25 of 26 pending images"),
        ("many", "/console/shared", "Images Shared with Me, 25 of 10,000"),
    ] {
        let token = server.token(project, "member");
        let mut reader = Client::connect_browser(&server.address, &token, "identity").await;
        let (_, html) = reader.send("GET", path, "").await;
        let html = String::from_utf8(html).expect("text");
        assert_eq!(html.matches("<tr>").count(), ROWS + 1, "{html}");
        let mut browser = Client::connect_browser(&server.address, &token, "gzip").await;
        let (time, length) = open(&mut browser, path).await;
        print_figure(&format!("page {name}: median of {VIEWS}"), &format_millis(time), "under 8 ms");
        let first = length + assets(&mut browser, &html).await;
        print_figure("… first view, with styles, script and icon", &format!("{first} bytes"), "under 40 kB");
        print_figure("… later views", &format!("{length} bytes"), "under 20 kB");
    }
}

/// Opens a page many times, and returns its median time and its length.
async fn open(browser: &mut Client, path: &str) -> (Duration, usize) {
    let mut times = Vec::with_capacity(VIEWS);
    let mut length = 0;
    for _ in 0..VIEWS {
        let begun = Instant::now();
        let (status, body) = browser.send("GET", path, "").await;
        times.push(begun.elapsed());
        assert_eq!(status, 200, "{path}");
        length = body.len();
    }
    times.sort_unstable();
    (times[VIEWS / 2], length)
}

/// The bytes of what a page loads, as they are sent.
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
