//! The Parameter Store of Systems Manager and Secrets Manager, as far as a function reads from them: AWS JSON 1.1 over HTTP,
//! with signatures of version 4, which are verified by code that shares nothing with the signer.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::{Request, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

use crate::http_server::HttpServer;
use crate::table_server::REGION;

/// The secret access key of every caller, and its id.
const SECRET_KEY: &str = "test";

/// A server on loopback, stopped when it is dropped.
pub struct SecretServer {
    server: HttpServer,
    state: Arc<Mutex<State>>,
    gate: Arc<RwLock<()>>,
}

#[derive(Default)]
struct State {
    /// By reference, as `ssm:/name`: the text, or the code of the error.
    secrets: HashMap<String, Result<String, &'static str>>,
    calls: Vec<String>,
}

impl SecretServer {
    /// Starts a server without secrets.
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let gate = Arc::new(RwLock::new(()));
        let (shared, open) = (Arc::clone(&state), Arc::clone(&gate));
        let server = HttpServer::start(move |request: Request<Bytes>| {
            let response = handle(&mut lock(&shared), &request);
            let open = Arc::clone(&open);
            async move {
                let _ = open.read().await;
                response
            }
        });
        Self { server: server.await, state, gate }
    }

    /// The value of a function's `AWS_ENDPOINT_URL_SSM` and `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Creates or changes a secret, named as `ssm:NAME` or `secretsmanager:NAME`.
    pub fn set(&self, reference: &str, text: &str) {
        lock(&self.state).secrets.insert(reference.to_owned(), Ok(text.to_owned()));
    }

    /// Makes every call for a secret fail with an error of this code.
    pub fn fail(&self, reference: &str, code: &'static str) {
        lock(&self.state).secrets.insert(reference.to_owned(), Err(code));
    }

    /// The references of the calls since the last time, in order.
    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).calls)
    }

    /// Delays responses until the guard is dropped.
    pub async fn block_responses(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.gate).write_owned().await
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn handle(state: &mut State, request: &Request<Bytes>) -> Response<Bytes> {
    let target = header(request, "x-amz-target");
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let (service, id) = match target {
        "AmazonSSM.GetParameter" => ("ssm", &body["Name"]),
        "secretsmanager.GetSecretValue" => ("secretsmanager", &body["SecretId"]),
        _ => return error("UnknownOperationException"),
    };
    if header(request, "content-type") != "application/x-amz-json-1.1" {
        return error("SerializationException");
    }
    if !is_signed(request, service) {
        return error("InvalidSignatureException");
    }
    let id = id.as_str().unwrap_or_default();
    let reference = format!("{service}:{id}");
    state.calls.push(reference.clone());
    match state.secrets.get(&reference) {
        Some(Ok(text)) if service == "ssm" => {
            let value = if body["WithDecryption"] == true { text } else { "encrypted" };
            let parameter = json!({"ARN": id, "DataType": "text", "LastModifiedDate": 1.8e9, "Name": id,
                "Type": "SecureString", "Value": value, "Version": 1});
            response(200, &json!({"Parameter": parameter}))
        }
        Some(Ok(text)) => {
            let version = "11111111-1111-4111-8111-111111111111";
            response(
                200,
                &json!({"ARN": id, "CreatedDate": 1.8e9, "Name": id, "SecretString": text,
                "VersionId": version, "VersionStages": ["AWSCURRENT"]}),
            )
        }
        Some(Err(code)) => error(code),
        None if service == "ssm" => error("ParameterNotFound"),
        None => error("ResourceNotFoundException"),
    }
}

fn error(code: &str) -> Response<Bytes> {
    let status = if code.starts_with("Internal") { 500 } else { 400 };
    response(status, &json!({"__type": code, "Message": format!("the service's message about {code}")}))
}

fn response(status: u16, body: &Value) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
    response.body(body.to_string().into()).expect("the status is one of HTTP")
}

fn header<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().trim()
}

/// Whether a request has a signature of version 4 over its host, date, token, target and body.
fn is_signed(request: &Request<Bytes>, service: &str) -> bool {
    let Some(authorization) = header(request, "authorization").strip_prefix("AWS4-HMAC-SHA256 ") else {
        return false;
    };
    let part = |name: &str| {
        let parts = authorization.split(", ").filter_map(|part| part.split_once('='));
        parts.into_iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    };
    let date = header(request, "x-amz-date");
    let day = date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{REGION}/{service}/aws4_request");
    let signed = part("SignedHeaders");
    let mut canonical = "POST\n/\n\n".to_owned();
    for name in signed.split(';') {
        writeln!(canonical, "{name}:{}", header(request, name)).expect("a string");
    }
    write!(canonical, "\n{signed}\n{:x}", Sha256::digest(request.body())).expect("a string");
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{:x}", Sha256::digest(canonical));
    let mut key = format!("AWS4{SECRET_KEY}").into_bytes();
    for step in [day, REGION, service, "aws4_request", &text] {
        let mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
        key = mac.chain_update(step).finalize().into_bytes().to_vec();
    }
    let signature = key.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let covers = |name: &str| signed.split(';').any(|covered| covered == name);
    part("Credential") == format!("{SECRET_KEY}/{scope}")
        && ["host", "x-amz-date", "x-amz-security-token", "x-amz-target"].iter().all(|name| covers(name))
        && part("Signature") == signature
}
