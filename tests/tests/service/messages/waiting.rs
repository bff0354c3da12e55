//! Requests that wait for a message.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use imageshare::domain::{Clock, Limits, Role};
use imageshare::facade::messages;
use imageshare::store::Store;
use imageshare::usecases;
use imageshare::{App, Settings, WaitingReads};
use imageshare_local::table::{EmbeddedTable, Lane};
use imageshare_tests::api::Api;
use imageshare_tests::blocking_table::BlockingTable;
use imageshare_tests::in_process::Functions;
use imageshare_tests::local_service::{caller, create_message, tenant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{offer, part};

/// A process in which requests may wait, over a table without virtual time.
struct Process {
    app: App,
    stop: watch::Sender<bool>,
}

impl Process {
    fn start(table: &EmbeddedTable) -> Self {
        let (stop, stopped) = watch::channel(false);
        let settings = Settings {
            region: "local".to_owned(),
            public_url: None,
            directory_is_complete: false,
            limits: Limits::default(),
            waiting_reads: Some(WaitingReads::new(stopped)),
        };
        let store = Store::new(BlockingTable::new(table.lane(Lane::Request)), Clock::for_server());
        Self { app: App { store, settings: Arc::new(settings) }, stop }
    }

    /// Waits for that many seconds. Returns the number of messages, and how long it took.
    async fn wait(&self, seconds: u64) -> (usize, Duration) {
        let (started, timeout) = (Instant::now(), Duration::from_secs(seconds));
        let found = usecases::wait_for_unread_messages(&self.app, &caller("mem1"), None, 10, timeout).await;
        (found.unwrap().page.items.len(), started.elapsed())
    }
}

/// Waits for a message that `deliver` writes after 600 milliseconds, so after a poll and before the next.
async fn wait_while(process: &Process, deliver: impl AsyncFnOnce()) -> (usize, Duration) {
    let delivery = async {
        sleep(Duration::from_millis(600)).await;
        deliver().await;
    };
    tokio::join!(process.wait(20), delivery).0
}

#[tokio::test(start_paused = true)]
async fn waiting_read_returns_when_a_message_arrives() {
    let table = EmbeddedTable::open(None).unwrap();
    let process = Process::start(&table);
    let found = wait_while(&process, async || {
        let id = offer(&process.app, "own1");
        usecases::deliver_message(&process.app, &tenant("mem1"), &id, &part([1])).await.unwrap();
    });
    assert_eq!(found.await, (1, Duration::from_millis(600)));
    assert_eq!(process.wait(20).await, (1, Duration::ZERO), "there is one already");
}

#[tokio::test(start_paused = true)]
async fn waiting_read_finds_the_message_of_another_process() {
    let table = EmbeddedTable::open(None).unwrap();
    let (process, other) = (Process::start(&table), Process::start(&table));
    let found = wait_while(&process, async || {
        let id = offer(&other.app, "own1");
        usecases::deliver_message(&other.app, &tenant("mem1"), &id, &part([1])).await.unwrap();
    });
    assert_eq!(found.await, (1, Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn message_to_another_tenant_does_not_end_a_wait() {
    let table = EmbeddedTable::open(None).unwrap();
    let process = Process::start(&table);
    let found = wait_while(&process, async || {
        let id = offer(&process.app, "own1");
        usecases::deliver_message(&process.app, &tenant("mem2"), &id, &part([1])).await.unwrap();
    });
    assert_eq!(found.await, (0, Duration::from_secs(20)));
}

#[tokio::test(start_paused = true)]
async fn stop_ends_every_wait_at_once() {
    let table = EmbeddedTable::open(None).unwrap();
    let process = Process::start(&table);
    let found = wait_while(&process, async || process.stop.send(true).unwrap());
    assert_eq!(found.await, (0, Duration::from_millis(600)));
}

#[tokio::test(start_paused = true)]
async fn waiting_reads_of_a_tenant_are_limited() {
    let table = EmbeddedTable::open(None).unwrap();
    let (process, me) = (Process::start(&table), caller("mem1"));
    let timeout = Duration::from_secs(20);
    let wait = || usecases::wait_for_unread_messages(&process.app, &me, None, 10, timeout);
    let results = join_all((0..30).map(|_| wait())).await;
    let refused = results.into_iter().filter_map(Result::err).collect::<Vec<_>>();
    assert_eq!(refused, vec![imageshare::TooManyWaiting.into(); 22], "eight wait");
    create_message(&process.app.store, "mem1", "own1").await;
    assert_eq!(join_all((0..30).map(|_| wait())).await.iter().flatten().count(), 30, "none has to wait");
}

#[tokio::test]
async fn function_refuses_to_wait() {
    let functions = Functions::start();
    let target = "/v1/messages?unread=true&wait=1";
    let refused = functions.send_without_body("mem1", messages::list::ROUTE, target).await;
    refused.expect_error(400, "IMG.0001");
    refused.expect_message(
        400,
        "wait: expected no value, because no request can wait here: ask again later instead.",
    );
}

#[tokio::test]
async fn server_that_stops_answers_its_waiting_reads() {
    let api = Api::start(&[]).await;
    let token = api.token("mem1", Role::Reader);
    let wait = async |address: SocketAddr| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let target = "/v1/messages?unread=true&wait=20";
        let head = format!("GET {target} HTTP/1.1\r\nHost: images.example\r\nConnection: close\r\n");
        stream.write_all(format!("{head}X-Auth-Token: {token}\r\n\r\n").as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        response
    };
    let address = api.address();
    let mut responses: FuturesUnordered<_> = (0..9).map(|_| wait(address)).collect();
    // One is refused once all others wait.
    let refused = responses.next().await.unwrap();
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let (waited, ()) = tokio::join!(responses.collect::<Vec<_>>(), api.stop());
    assert_eq!(waited.len(), 8);
    for response in waited {
        assert!(response.starts_with("HTTP/1.1 200") && response.contains("\"messages\":[]"), "{response}");
    }
}
