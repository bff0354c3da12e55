//! How long after an acknowledged share its recipient has the message.

use std::time::Instant;

use serde_json::Value;

use crate::client::Client;
use crate::load::{format_millis, percentile};
use crate::{print_figure, server};

/// The number of shares of one image with one project, one after the other.
const SHARES: usize = 500;

pub async fn run() {
    let (disk, _directory) = server::start_on_disk().await;
    let mut owner = Client::connect(&disk.address, &disk.token("bench", "member")).await;
    let mut delays = Vec::with_capacity(SHARES);
    for number in 0..SHARES {
        // Each message is the first of its recipient, so that the waiting read ends with it.
        let recipient = format!("reader-{number}");
        let mut reader = Client::connect(&disk.address, &disk.token(&recipient, "member")).await;
        let waiting = tokio::spawn(async move {
            let page = reader.send_json("GET", "/v1/messages?unread=true&wait=20", &Value::Null).await;
            (page["messages"].as_array().map_or(0, Vec::len), Instant::now())
        });
        let image = owner.create_image().await;
        owner.share(&[image], &[recipient]).await;
        let acknowledged = Instant::now();
        let (messages, received) = waiting.await.expect("a reader");
        assert_eq!(messages, 1);
        delays.push(received.saturating_duration_since(acknowledged));
    }
    delays.sort();
    let of = |percent| format_millis(percentile(&delays, percent));
    print_figure("from an acknowledged share to the message, on disk: median", &of(50), "");
    print_figure("from an acknowledged share to the message: 99th percentile", &of(99), "under 100 ms");
}
