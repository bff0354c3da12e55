//! How the provider reaches a service: over TLS, with the certificate authorities of the system or those of a file, and through a
//! proxy.

use std::sync::{Arc, Mutex};

use imageshare_tests::issuer::CertificateAuthority;
use imageshare_tests::recording_proxy::RecordingProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::world::World;

const QUOTA: &str = "data \"imageshare_quota\" \"q\" {}\n";

/// A server over TLS, with a configuration that reads from it. The provider trusts the authority of this file.
struct Encrypted {
    world: World,
    server: RecordingProxy,
}

impl Encrypted {
    async fn new() -> Option<Self> {
        let world = World::new().await?;
        let authority = CertificateAuthority::new();
        let server = RecordingProxy::start_tls(&world.api.address().to_string(), &authority).await;
        let mut world = world.at(format!("https://{}", server.address()));
        world.project.write_file("ca.pem", &authority.pem());
        let file = world.project.path().join("ca.pem");
        world.project = world.project.env("SSL_CERT_FILE", file.to_string_lossy());
        world.write(QUOTA);
        Some(Self { world, server })
    }

    fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.world.project = self.world.project.env(name, value);
        self
    }
}

/// A proxy that opens tunnels, as those of companies do.
struct TunnelProxy {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
    accepting: JoinHandle<()>,
}

impl TunnelProxy {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&heads);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(tunnel(client, Arc::clone(&record)));
            }
        });
        Self { address, heads, accepting }
    }

    /// The heads of the requests since the last look.
    fn take_heads(&self) -> Vec<String> {
        std::mem::take(&mut *self.heads.lock().expect("no panic"))
    }
}

impl Drop for TunnelProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn tunnel(mut client: TcpStream, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = client.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    heads.lock().expect("no panic").push(head);
    let mut server = TcpStream::connect(target).await.expect("the server");
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("a client");
    // It ends when one of them does.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

#[tokio::test]
async fn service_is_reached_over_tls() {
    let Some(Encrypted { world, server }) = Encrypted::new().await else { return };
    world.apply(&format!("{QUOTA}resource \"imageshare_image\" \"i\" {{\n  name = \"golden\"\n}}\n")).await;
    assert!(server.take_requests().contains(&"POST /v2/images".to_owned()));
    world.project.destroy().await;
}

#[tokio::test]
async fn unknown_certificate_authority_is_refused() {
    let Some(Encrypted { world, server }) = Encrypted::new().await else { return };
    world.project.write_file("ca.pem", &CertificateAuthority::new().pem());
    let ended = world.project.run(&["plan", "-no-color"]).await;
    ended.expect_error(&["The service cannot be reached", "certificate", &server.address()]);
    assert_eq!(server.take_requests(), [""; 0]);
}

#[tokio::test]
async fn certificate_of_another_host_is_refused() {
    let Some(Encrypted { world, server }) = Encrypted::new().await else { return };
    let port = server.address().rsplit_once(':').expect("a port").1.to_owned();
    let world = world.at(format!("https://localhost:{port}"));
    let ended = world.project.run(&["plan", "-no-color"]).await;
    ended.expect_error(&["The service cannot be reached", "certificate"]);
    assert_eq!(server.take_requests(), [""; 0]);
}

#[tokio::test]
async fn proxy_is_used_unless_a_host_is_excluded() {
    let Some(encrypted) = Encrypted::new().await else { return };
    let proxy = TunnelProxy::start().await;
    let encrypted = encrypted.env("HTTPS_PROXY", format!("http://user:hush@{}", proxy.address));
    // A test's own Terraform excludes this machine.
    encrypted.world.project.plan().await;
    assert_eq!(proxy.take_heads(), [""; 0]);

    let encrypted = encrypted.env("NO_PROXY", "images.example");
    let server = encrypted.server.address();
    encrypted.world.project.plan().await;
    let heads = proxy.take_heads();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(head.starts_with(&format!("CONNECT {server} HTTP/1.1\r\n")), "{head}");
        // user:hush
        assert!(head.to_lowercase().contains("proxy-authorization: basic dxnlcjpodxno"), "{head}");
    }

    let world = encrypted.world.at("http://127.0.0.1:9");
    world.project.run(&["plan", "-no-color"]).await.expect_error(&["The service cannot be reached"]);
    assert_eq!(proxy.take_heads(), [""; 0]);
}

#[tokio::test]
async fn proxy_that_cannot_be_used_is_named() {
    let Some(encrypted) = Encrypted::new().await else { return };
    let encrypted = encrypted.env("NO_PROXY", "").env("HTTPS_PROXY", "socks5://127.0.0.1:9");
    let ended = encrypted.world.project.run(&["plan", "-no-color"]).await;
    ended.expect_error(&["There is no way to connect", "socks5://127.0.0.1:9", "is not http://"]);
}
