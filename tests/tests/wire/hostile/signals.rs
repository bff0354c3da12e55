//! Signals to the real server, while a client keeps it from ending.

use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::resources::server_with_shell_setup;

/// A client that has sent a part of its request.
async fn slow_client(server: &ServerProcess) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let request =
        "POST /v3/auth/tokens HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    // The server requests the body, so the request is in progress.
    stream.readable().await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn second_signal_stops_the_server_immediately() {
    let mut server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
    let _slow = slow_client(&server).await;
    server.run_signal_command("kill -INT $0; kill -TERM $0");
    assert_eq!(server.wait(), Some(1), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn first_signal_stops_the_server_gracefully() {
    for signal in ["kill -TERM $0", "kill -INT $0", "kill -HUP $0"] {
        let mut server = ServerProcess::start(&binary("imageshare"), &["--memory"]).await;
        let _slow = slow_client(&server).await;
        server.run_signal_command(signal);
        assert_eq!(server.wait(), Some(0), "{signal} {}", server.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hangup_ignored_at_startup_stays_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let mut server =
        ServerProcess::start(&server_with_shell_setup(&directory, "trap '' HUP"), &["--memory"]).await;
    server.run_signal_command("kill -HUP $0; kill -TERM $0");
    assert_eq!(server.wait(), Some(0), "{}", server.log());
}
