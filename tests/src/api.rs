//! The whole server in this process, and a client that checks every response against `infra/openapi.yaml`.
//!
//! The client sends exactly the bytes of a request, since many tests send what no well-behaved client would.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::io::Read;
use std::mem;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dynoxide::types::AttributeValue;
use flate2::read::GzDecoder;
use imageshare::domain::{Clock, Role, Timestamp};
use imageshare::store::Store;
use imageshare::table::Table;
use imageshare_local::cli::{RemoteArguments, ServeArguments};
use imageshare_local::effects::next_batch;
use imageshare_local::issuers::IssuerArguments;
use imageshare_local::keys::{ISSUER, SigningKey, TokenClaims};
use imageshare_local::server::Server;
use imageshare_local::table::Lane;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::api_document::ApiDocument;
use crate::checked_bus::CheckingBus;
use crate::held_table::{HeldTable, Hold};
use crate::local_service::all_items;
use crate::permissions::AuthorizedTable;
pub use crate::response::ApiResponse;

/// How long a response or a job may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// A server with an empty table in memory.
pub struct Api {
    /// The document that the server's routes are made from.
    pub document: ApiDocument,
    server: Server,
    signing_key: SigningKey,
    succeeded_operations: Mutex<BTreeSet<String>>,
}

/// A request, byte for byte.
#[derive(Clone)]
pub struct ApiRequest {
    /// The method.
    pub method: String,
    /// Path and query as in the request line.
    pub target: String,
    header_bytes: Vec<u8>,
    body: Vec<u8>,
}

impl fmt::Debug for ApiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(300).collect::<String>();
        write!(f, "{} {}\n{}\n{}", self.method, self.target, text(&self.header_bytes), text(&self.body))
    }
}

impl ApiRequest {
    /// A request without a body.
    pub fn new(method: &str, target: impl Into<String>) -> Self {
        Self { method: method.to_owned(), target: target.into(), header_bytes: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.header_bytes.extend_from_slice(name.as_bytes());
        self.header_bytes.extend_from_slice(b": ");
        self.header_bytes.extend_from_slice(value.as_ref());
        self.header_bytes.extend_from_slice(b"\r\n");
        self
    }

    /// Adds an `X-Auth-Token` header.
    #[must_use]
    pub fn token(self, token: &str) -> Self {
        self.header("X-Auth-Token", token)
    }

    /// Sets the body, with the JSON media type of the method.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let media_type = if self.method == "PATCH" {
            "application/openstack-images-v2.1-json-patch"
        } else {
            "application/json"
        };
        self.typed_body(media_type, body)
    }

    /// Sets the body and its media type.
    #[must_use]
    pub fn typed_body(self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.header("Content-Type", media_type) }
    }

    /// Sets the body without a `Content-Type`.
    #[must_use]
    pub fn bytes(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    /// The same request in a minor version of Glance's API; `None` if its path is not in `/v2`.
    pub fn with_minor_version(&self) -> Option<Self> {
        let rest = self.target.strip_prefix("/v2").filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        Some(Self { target: format!("/v2.7{rest}"), ..self.clone() })
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

impl Api {
    /// Starts a server with these limits, each in the form of `--limit`.
    pub async fn start(limits: &[&str]) -> Self {
        Self::start_with(limits, false).await
    }

    /// Starts a server with these limits. `directory_complete` is the flag of that name of `imageshare serve`.
    pub async fn start_with(limits: &[&str], directory_complete: bool) -> Self {
        // Boxed, since the compiler follows nested futures only so deep.
        Box::pin(Self::start_held(limits, directory_complete, Hold::default())).await
    }

    /// The same with workers whose writes this holds: as long as it does, a job stays open that its request does not carry out
    /// itself.
    pub async fn start_held(limits: &[&str], directory_complete: bool, workers: Hold) -> Self {
        let arguments = ServeArguments {
            config: None,
            metrics: None,
            listen: "127.0.0.1:0".to_owned(),
            data: PathBuf::new(),
            memory: true,
            remote: RemoteArguments::default(),
            region: None,
            public_url: None,
            directory_complete,
            limits: limits.iter().map(|limit| limit.parse().expect("a limit")).collect(),
            issuers: IssuerArguments::default(),
        };
        let wrap = |lane, table| {
            let table: Arc<dyn Table> = Arc::new(AuthorizedTable::new(table));
            match lane {
                Lane::Worker => Arc::new(HeldTable::new(table, workers.clone())) as Arc<dyn Table>,
                _ => table,
            }
        };
        let server = Server::start_over(&arguments, wrap, |bus| Arc::new(CheckingBus::new(bus))).await;
        let server = server.expect("a server");
        let key = server.key_directory().expect("a directory of keys");
        let key = SigningKey::open_or_create(key).expect("the server's key");
        Self {
            document: ApiDocument::load(),
            server,
            signing_key: key,
            succeeded_operations: Mutex::default(),
        }
    }

    /// Returns a token for a project and a role, valid for an hour.
    pub fn token(&self, project: &str, role: Role) -> String {
        let lifetime = Duration::from_hours(1);
        let project = project.parse().expect("a project id");
        let grant = TokenClaims { project, account: None, user: None, roles: vec![role], lifetime };
        self.signing_key.sign_token(&grant).expect("a token")
    }

    /// Returns a correctly signed token for a project, with the given expiry.
    pub fn token_expiring_at(&self, project: &str, expires: Timestamp) -> String {
        let keys: Value = serde_json::from_str(self.signing_key.jwks()).expect("a key set");
        let secret = URL_SAFE_NO_PAD.decode(keys["keys"][0]["k"].as_str().expect("a key")).expect("base64");
        let header = Header {
            kid: keys["keys"][0]["kid"].as_str().map(str::to_owned),
            ..Header::new(Algorithm::HS256)
        };
        let claims =
            json!({"iss": ISSUER, "project_id": project, "roles": ["member"], "exp": expires.unix_seconds()});
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&secret)).expect("a token")
    }

    /// Sends a request and checks the response: its form against the document, and the headers that every response
    /// has.
    pub async fn send(&self, request: &ApiRequest) -> ApiResponse {
        let response = timeout(RESPONSE_TIMEOUT, self.send_raw(request)).await;
        let response = response.unwrap_or_else(|_| panic!("no response to {request:?}"));
        if let Err(problem) = self.check_response(request, &response) {
            panic!("{problem}\n{request:?}\n{response:?}");
        }
        response
    }

    /// Sends a request to what only a server has, and the document does not.
    pub async fn send_undocumented(&self, request: &ApiRequest) -> ApiResponse {
        let response = timeout(RESPONSE_TIMEOUT, self.send_raw(request)).await;
        response.unwrap_or_else(|_| panic!("no response to {request:?}"))
    }

    /// The operations that have succeeded so far, for tests that have to cover all of them.
    pub fn succeeded_operations(&self) -> BTreeSet<String> {
        self.succeeded_operations.lock().expect("no panic").clone()
    }

    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// A store on the server's table, for what no request writes.
    pub fn store(&self) -> Store {
        let table = self.server.embedded_table().expect("an embedded table");
        Store::new(table.lane(Lane::Worker), Clock::for_server())
    }

    /// Stops the server.
    pub async fn stop(self) {
        self.server.stop().await;
    }

    /// The table's items, once no work is open and what follows from every change is carried out.
    pub async fn dump_when_idle(&self) -> BTreeMap<String, String> {
        self.wait_until_idle().await;
        self.dump()
    }

    /// The table's items by key. The server's clock is left out, since it changes without a request.
    pub fn dump(&self) -> BTreeMap<String, String> {
        let item_of_clock =
            |item: &HashMap<String, AttributeValue>| item["pk"] == AttributeValue::S("?clock".into());
        all_items(self.server.embedded_table().expect("an embedded table"))
            .into_iter()
            .filter(|item| !item_of_clock(item))
            .map(|item| {
                let text = |name: &str| match &item[name] {
                    AttributeValue::S(text) => text.clone(),
                    other => panic!("{other:?} in a key"),
                };
                let key = format!("{} {}", text("pk"), text("sk"));
                let attributes: BTreeMap<_, _> = item.iter().collect();
                (key, format!("{attributes:?}"))
            })
            .collect()
    }

    /// Waits until no job is open, and what follows from every change is carried out.
    pub async fn wait_until_idle(&self) {
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        while self.has_open_work().await {
            assert!(Instant::now() < deadline, "a job is still open, or a change");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn has_open_work(&self) -> bool {
        let table = self.server.embedded_table().expect("an embedded table");
        // A job makes changes, and a change may make a job.
        for _ in 0..2 {
            let has_changes = next_batch(table, "local").await.expect("the table").is_some();
            if has_changes || self.dump().values().any(|item| item.contains("\"gpk\": S(\"W#")) {
                return true;
            }
        }
        false
    }

    /// Waits for the job of an accepted batch call. Returns it as its project sees it.
    pub async fn wait_for_job(&self, token: &str, project: &str, accepted: &ApiResponse) -> Value {
        let id = accepted.body["job_id"].as_str().unwrap_or_else(|| panic!("no job: {accepted:?}"));
        let request = ApiRequest::new("GET", format!("/v1/{project}/jobs/{id}")).token(token);
        let deadline = Instant::now() + RESPONSE_TIMEOUT;
        loop {
            let job = self.send(&request).await.body;
            if !job["end_time"].is_null() {
                return job;
            }
            assert!(Instant::now() < deadline, "the job does not end: {job}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    async fn send_raw(&self, request: &ApiRequest) -> ApiResponse {
        let mut stream = TcpStream::connect(self.server.address()).await.expect("the server");
        let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
        bytes.extend_from_slice(&request.header_bytes);
        let head = request.header_bytes.to_ascii_lowercase();
        if !head.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"host:")) {
            bytes.extend_from_slice(b"Host: images.example\r\n");
        }
        bytes.extend_from_slice(
            format!("Content-Length: {}\r\nConnection: close\r\n\r\n", request.body.len()).as_bytes(),
        );
        bytes.extend_from_slice(&request.body);
        stream.write_all(&bytes).await.expect("the server reads the whole request");
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.expect("a response");
        parse_response(request, &response)
    }

    fn check_response(&self, request: &ApiRequest, response: &ApiResponse) -> Result<(), String> {
        let id = response.headers.get("x-request-id").ok_or("X-Request-Id is missing")?;
        if response.headers.get("x-openstack-request-id") != Some(&format!("req-{id}")) {
            return Err("X-Openstack-Request-Id is not X-Request-Id".to_owned());
        }
        let operation = self.document.find_operation(&request.method, request.path());
        let body = Some(&response.body).filter(|body| !body.is_null());
        if request.method == "HEAD" {
            let is_documented = operation.statuses().contains(&response.status);
            return if is_documented && body.is_none() {
                Ok(())
            } else {
                Err("not a response to HEAD".to_owned())
            };
        }
        if response.headers.get("content-type").is_some_and(|media_type| media_type == XML_MEDIA_TYPE) {
            let asks = request.path() == "/" && request.target.contains("Format=") && body.is_some();
            return if asks { Ok(()) } else { Err("XML was not requested".to_owned()) };
        }
        match self.document.response_violation(&operation, response.status, body) {
            Some(problem) => return Err(problem),
            None if response.status < 400 => {
                self.succeeded_operations.lock().expect("no panic").insert(operation.id.clone());
            }
            None if operation.is_page() => {}
            // The document defines which errors have no body.
            None if body.is_none() => {}
            None => check_error_body(request, response)?,
        }
        if operation.is_page() && is_text_body(&response.headers) {
            return check_page_headers(response);
        }
        match response.headers.get("content-type").map(String::as_str) {
            Some("application/json") if body.is_some() => Ok(()),
            Some(_) if is_text_body(&response.headers) && response.status == 200 => Ok(()),
            None if body.is_none() => Ok(()),
            other => Err(format!("the type is {other:?}")),
        }
    }
}

/// The media type of Alibaba's responses in XML.
const XML_MEDIA_TYPE: &str = "text/xml;charset=utf-8";

fn check_error_body(request: &ApiRequest, response: &ApiResponse) -> Result<(), String> {
    if request.path() == "/" && response.body["RequestId"].is_string() {
        let id = response.headers.get("x-request-id").map(|id| id.to_uppercase());
        let is_named = id.as_deref() == response.body["RequestId"].as_str();
        return if is_named { Ok(()) } else { Err("RequestId is not X-Request-Id".to_owned()) };
    }
    let is_text = |name: &str| response.body["error"][name].as_str().is_some_and(|text| !text.is_empty());
    let members = response.body["error"].as_object().map_or(0, serde_json::Map::len);
    if members == 3 && ["code", "message", "title"].into_iter().all(is_text) {
        Ok(())
    } else {
        Err("the error body is not in the common form".to_owned())
    }
}

/// The headers of every response of the console.
fn check_page_headers(response: &ApiResponse) -> Result<(), String> {
    let header = |name: &str| response.headers.get(name).map(String::as_str).unwrap_or_default();
    let policy = header("content-security-policy");
    if !policy.starts_with("default-src 'none'; ") || policy.contains("unsafe") {
        return Err(format!("the content security policy is {policy:?}"));
    }
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("strict-transport-security", "max-age=31536000"),
    ] {
        if header(name) != value {
            return Err(format!("{name} is {:?}", header(name)));
        }
    }
    let is_asset = header("cache-control").ends_with("immutable");
    if header("permissions-policy").is_empty() || !(is_asset || header("cache-control") == "no-store") {
        return Err("the permissions policy is missing, or the page may be kept".to_owned());
    }
    Ok(())
}

/// Whether a body is text: the API document, pages and what they load, or a response of Alibaba's API in XML.
fn is_text_body(headers: &BTreeMap<String, String>) -> bool {
    let kind = headers.get("content-type").map(String::as_str).unwrap_or_default();
    let is_asset = ["text/css", "text/javascript", "text/csv", "image/svg+xml"]
        .iter()
        .any(|each| kind.starts_with(each));
    kind == "application/yaml" || kind == XML_MEDIA_TYPE || kind.starts_with("text/html;") || is_asset
}

fn parse_response(request: &ApiRequest, bytes: &[u8]) -> ApiResponse {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an HTTP response");
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> =
        headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let mut body = bytes[end + 4..].to_vec();
    if headers.get("content-encoding").is_some_and(|encoding| encoding == "gzip") {
        let packed = mem::take(&mut body);
        GzDecoder::new(packed.as_slice()).read_to_end(&mut body).expect("a body in gzip");
    }
    let body = match body.as_slice() {
        [] => Value::Null,
        _ if is_text_body(&headers) => Value::String(String::from_utf8(body).expect("a text")),
        body => serde_json::from_slice(body).expect("a JSON body"),
    };
    ApiResponse { request: format!("{request:?}"), status, headers, body }
}
