//! An HTTP client that costs next to nothing: it sends prepared bytes and reads status and body, over one kept
//! connection.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One connection with one token.
pub struct Client {
    stream: BufReader<TcpStream>,
    /// The header that has the token.
    credential: String,
}

impl Client {
    /// Connects to `127.0.0.1:PORT`.
    pub async fn connect(address: &str, token: &str) -> Self {
        Self::with_credential(address, format!("x-auth-token: {token}")).await
    }

    /// Connects as the browser of a visitor of the console, whose session has that token, and that accepts an encoding.
    pub async fn connect_browser(address: &str, token: &str, encoding: &str) -> Self {
        Self::with_credential(address, format!("accept-encoding: {encoding}\r\ncookie: imageshare={token}"))
            .await
    }

    async fn with_credential(address: &str, credential: String) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self { stream: BufReader::new(stream), credential }
    }

    /// Sends a request and returns its status and body.
    pub async fn send(&mut self, method: &str, target: &str, body: &str) -> (u16, Vec<u8>) {
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: bench\r\n{}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.credential,
            body.len()
        );
        self.stream.get_mut().write_all(head.as_bytes()).await.expect("a request sent");
        let (mut status, mut length) = (0, 0);
        let mut line = String::new();
        loop {
            line.clear();
            self.stream.read_line(&mut line).await.expect("a response");
            let text = line.trim_end();
            if text.is_empty() {
                break;
            }
            if let Some(rest) = text.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().expect("a status");
            } else if let Some((name, value)) = text.split_once(": ")
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.expect("a body");
        (status, body)
    }

    /// Sends a request that must succeed, and returns its JSON.
    pub async fn send_json(&mut self, method: &str, target: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let (status, response) = self.send(method, target, &body).await;
        assert!(
            (200..300).contains(&status),
            "{method} {target}: {status} {}",
            String::from_utf8_lossy(&response)
        );
        serde_json::from_slice(&response).unwrap_or_default()
    }

    /// Registers an image and returns its id.
    pub async fn create_image(&mut self) -> String {
        let image = self.send_json("POST", "/v2/images", &serde_json::json!({ "name": "golden" })).await;
        image["id"].as_str().expect("an id").to_owned()
    }

    /// Shares images with projects and returns the job's id.
    pub async fn share(&mut self, images: &[String], projects: &[String]) -> String {
        let body = serde_json::json!({ "images": images, "projects": projects });
        let job = self.send_json("POST", "/v1/cloudimages/members", &body).await;
        job["job_id"].as_str().expect("a job").to_owned()
    }

    /// The status of a job.
    pub async fn job_status(&mut self, job: &str) -> String {
        let job = self.send_json("GET", &format!("/v1/cloudimages/job/{job}"), &Value::Null).await;
        job["status"].as_str().expect("a status").to_owned()
    }

    /// Waits until a job has succeeded.
    pub async fn wait_for_success(&mut self, job: &str) {
        loop {
            match self.job_status(job).await.as_str() {
                "SUCCESS" => return,
                "FAIL" => panic!("job {job} failed"),
                _ => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    }
}
