//! Signals to the real server, while a client keeps it from ending.

use imageshare_tests::binaries::binary;
use imageshare_tests::server::Server;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::resources::server_after;

/// A client that has sent a part of its request.
async fn slow_client(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let request =
        "POST /v3/auth/tokens HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    // It is asked for the body: its request is being served.
    stream.readable().await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn second_signal_ends_the_server_at_once() {
    let mut server = Server::start(&binary("imageshare"), &["--memory"]).await;
    let _slow = slow_client(&server).await;
    server.signal("kill -INT $0; kill -TERM $0");
    assert_eq!(server.end(), Some(1), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signal_stops_the_server_in_good_order_hangup_too() {
    for signal in ["kill -TERM $0", "kill -INT $0", "kill -HUP $0"] {
        let mut server = Server::start(&binary("imageshare"), &["--memory"]).await;
        let _slow = slow_client(&server).await;
        server.signal(signal);
        assert_eq!(server.end(), Some(0), "{signal} {}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_that_was_ignored_at_the_start_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start(&server_after(&directory, "trap '' HUP"), &["--memory"]).await;
    server.signal("kill -HUP $0; kill -TERM $0");
    assert_eq!(server.end(), Some(0), "{}", server.log());
}
