//! The baseline of the share requests on disk: the same table with one bare conditional put per request.
//!
//! It is measured twice: through the same gateway, in a process of its own, to compare what a share does beyond a
//! put; and in process, without HTTP, which is the most that the table can do.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use imageshare::table::{AttributeValue, Table, Write};
use imageshare_local::functions::ENTRY_POINTS;
use imageshare_local::gateway::{self, Gateway, Handlers, Health, OPENAPI};
use imageshare_local::table::{EmbeddedTable, Lane, TableLane};
use imageshare_tests::server_process::ServerProcess;
use lambda_http::{Body, Response};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::client;
use crate::load::{CLIENTS, LoadResult};

/// 16 HTTP clients of a server that puts one item per request.
pub async fn over_http() -> LoadResult {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().to_str().expect("a plain path");
    let server =
        ServerProcess::start(&std::env::current_exe().expect("this program"), &["--data", path]).await;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push((client::Client::connect(&server.address, "none").await, number));
    }
    LoadResult::run(clients, |(mut client, number), request| async move {
        let body = format!(r#"{{"images":["0123456789"],"projects":["project-{number}-{request}"]}}"#);
        let (status, _) = client.send("POST", "/v1/cloudimages/members", &body).await;
        assert_eq!(status, 200);
        (client, number)
    })
    .await
}

/// That server. It listens on a free port, prints it, and serves until it is killed.
pub async fn serve(directory: &Path) {
    let table = EmbeddedTable::open(Some(directory)).expect("a table");
    let lane = table.lane(Lane::Request);
    let ids = Arc::new(AtomicU64::new(0));
    let mut handlers = Handlers::default();
    for (name, _) in ENTRY_POINTS {
        let (lane, ids) = (lane.clone(), Arc::clone(&ids));
        handlers = handlers.with(name, move |request| {
            let (lane, id) = (lane.clone(), ids.fetch_add(1, Ordering::Relaxed));
            async move {
                let body = String::from_utf8_lossy(request.body()).into_owned();
                put_item(&lane, id, body).await;
                Response::new(Body::Text(format!(r#"{{"job_id":"{id:032x}"}}"#)))
            }
        });
    }
    let healthy = Arc::new(|| -> gateway::BoxFuture<Health> { Box::pin(async { Health::Healthy }) });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("listening on http://{}", listener.local_addr().expect("an address"));
    let gateway = Gateway::new(OPENAPI, &handlers, healthy, "localhost".to_owned());
    gateway::serve(listener, Arc::new(gateway.expect("a gateway")), std::future::pending()).await;
    drop(table);
}

/// 16 tasks that put one item after the other.
pub async fn in_process() -> LoadResult {
    let directory = TempDir::new().expect("a directory");
    let table = EmbeddedTable::open(Some(directory.path())).expect("a table");
    let ids = Arc::new(AtomicU64::new(0));
    LoadResult::run(vec![(table.lane(Lane::Request), ids); CLIENTS], |(lane, ids), _| async move {
        put_item(&lane, ids.fetch_add(1, Ordering::Relaxed), "x".repeat(200)).await;
        (lane, ids)
    })
    .await
}

async fn put_item(lane: &TableLane, id: u64, text: String) {
    let item = [("pk", format!("J#{id:032x}")), ("sk", "A".to_owned()), ("job", text)];
    let item = item.map(|(name, text)| (name.to_owned(), AttributeValue::S(text)));
    let put = Write::put(item.into()).only_if("attribute_not_exists(pk)");
    lane.write_item(&put).await.expect("a put");
}
