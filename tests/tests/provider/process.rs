//! The process of the provider: how it starts, whom it lets in, what it leaves behind.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use imageshare_tests::binaries::provider_binary;
use imageshare_tests::terraform::Release;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::sample::{Sample, thing};

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// What begins a connection of HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A provider that was started as Terraform starts it, and killed when it is dropped.
struct Started {
    process: Child,
    sockets: TempDir,
    fields: Vec<String>,
}

impl Started {
    async fn with_client(certificate: &str) -> Self {
        let certificate = certificate.to_owned();
        let started = tokio::task::spawn_blocking(move || {
            let sockets = TempDir::new().unwrap();
            let mut process = Command::new(provider_binary("imageshare"))
                .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
                .env("PLUGIN_PROTOCOL_VERSIONS", "5,6")
                .env("PLUGIN_UNIX_SOCKET_DIR", sockets.path())
                .env("PLUGIN_CLIENT_CERT", certificate)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let fields = line.trim_end().split('|').map(str::to_owned).collect();
            Self { process, sockets, fields }
        });
        started.await.unwrap()
    }

    fn socket(&self) -> PathBuf {
        PathBuf::from(&self.fields[3])
    }

    /// What a client with this certificate, or without one, gets to hear; empty if it is refused.
    async fn first_bytes(&self, client: Option<&Identity>) -> Vec<u8> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(STANDARD_NO_PAD.decode(&self.fields[5]).unwrap())).unwrap();
        let config = ClientConfig::builder().with_root_certificates(roots);
        let mut config = match client {
            Some(identity) => config
                .with_client_auth_cert(vec![identity.certificate.clone()], identity.key.clone_key())
                .unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = UnixStream::connect(self.socket()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let Ok(mut stream) = TlsConnector::from(Arc::new(config)).connect(name, stream).await else {
            return Vec::new();
        };
        let mut received = vec![0; 9];
        if stream.write_all(PREFACE).await.is_err() || stream.read_exact(&mut received).await.is_err() {
            received.clear();
        }
        received
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A certificate with its key.
struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    pem: String,
}

impl Identity {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        Self { certificate: certificate.der().clone(), key: private, pem: certificate.pem() }
    }
}

#[tokio::test]
async fn only_the_client_of_the_environment_is_let_in() {
    let (terraform, stranger) = (Identity::new(), Identity::new());
    let provider = Started::with_client(&terraform.pem).await;
    assert_eq!(provider.fields[..3], ["1", "6", "unix"]);
    assert_eq!(provider.first_bytes(None).await, b"");
    assert_eq!(provider.first_bytes(Some(&stranger)).await, b"");
    // Terraform's own key is on P-521, which every test with Terraform uses; this one is on P-256, and is refused for that.
    assert_eq!(provider.first_bytes(Some(&terraform)).await, b"");
    // Without TLS, nothing is said either.
    let mut plain = UnixStream::connect(provider.socket()).await.unwrap();
    plain.write_all(PREFACE).await.unwrap();
    let mut received = Vec::new();
    let _ = plain.read_to_end(&mut received).await;
    assert!(!received.windows(4).any(|bytes| bytes == [0, 0, 0, 4]), "{received:?}");
}

#[tokio::test]
async fn silent_client_keeps_nobody_waiting() {
    let terraform = Identity::new();
    let provider = Started::with_client(&terraform.pem).await;
    let _silent = UnixStream::connect(provider.socket()).await.unwrap();
    let answered = timeout(Duration::from_mins(1), provider.first_bytes(None)).await;
    assert_eq!(answered.expect("an answer"), b"");
}

#[tokio::test]
async fn socket_is_private_and_removed_at_the_end() {
    use std::os::unix::fs::PermissionsExt;
    let mut provider = Started::with_client("").await;
    let directory = provider.socket().parent().unwrap().to_owned();
    assert_eq!(directory.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let ended = Command::new("kill").args(["-TERM", &provider.process.id().to_string()]).status().unwrap();
    assert!(ended.success() && provider.process.wait().unwrap().success());
    assert_eq!(std::fs::read_dir(provider.sockets.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn start_by_hand_is_explained() {
    let provider = tokio::task::spawn_blocking(|| provider_binary("imageshare")).await.unwrap();
    let ended = Command::new(&provider).env_remove("TF_PLUGIN_MAGIC_COOKIE").output().unwrap();
    assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(1), &b""[..]));
    let text = String::from_utf8(ended.stderr).unwrap();
    assert!(text.contains("required_providers") && text.contains("--debug"), "{text}");
    let problem = Command::new(&provider)
        .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
        .env("PLUGIN_UNIX_SOCKET_DIR", "/missing")
        .output()
        .unwrap();
    assert!(String::from_utf8(problem.stderr).unwrap().contains("/missing"));
}

#[tokio::test]
async fn terraform_attaches_to_a_provider_under_a_debugger() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    let mut provider = Command::new(provider_binary("sample"))
        .arg("--debug")
        .env("SAMPLE_STORE", sample.file(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(provider.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let attach = line
        .trim_end()
        .strip_prefix("TF_REATTACH_PROVIDERS='")
        .and_then(|rest| rest.strip_suffix('\''))
        .unwrap();
    let sample = sample.env("TF_REATTACH_PROVIDERS", attach);
    sample.project.write(&thing(""));
    sample.project.apply().await;
    sample.project.expect_no_changes().await;
    // It still runs, and ends at Ctrl-C.
    assert!(Command::new("kill").args(["-INT", &provider.id().to_string()]).status().unwrap().success());
    assert!(provider.wait().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[tokio::test]
async fn log_has_the_levels_of_terraform() {
    let Some(sample) = Sample::new(Release::Installed).await else { return };
    let sample = sample.env("TF_LOG_PROVIDER", "DEBUG");
    sample.write_thing("behaviour = \"panic\"");
    let ended = sample.project.try_apply().await;
    let line = ended
        .stderr
        .lines()
        .find(|line| line.contains("the provider panicked"))
        .unwrap_or_else(|| panic!("{ended:?}"));
    assert!(line.contains("[ERROR]"), "{line}");
    assert!(
        ended
            .stderr
            .lines()
            .any(|line| line.contains("[DEBUG]") && line.contains("method=PlanResourceChange"))
    );
}
