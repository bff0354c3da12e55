//! `imageshare access-key`: asks a running server over its own API.
//!
//! The server alone has the table open, so the command cannot write there itself; and what it asks for goes the way of
//! every other request. It may ask for any project because it can read the signing key: it makes itself a token of the
//! role admin, good for a minute.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use imageshare::domain::Role;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::{AccessKeyCommand, AccessKeyOwner};
use crate::keys::{KeyError, SigningKey};

const PATIENCE: Duration = Duration::from_secs(30);

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum AccessKeyError {
    /// There is no signing key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Nobody listens there.
    #[error("no server answers at {server}: {problem}; start one with imageshare, or name it with --server")]
    Unreachable {
        /// The server's address.
        server: Uri,
        /// What the system says.
        problem: io::Error,
    },
    /// The connection ended before the answer was there.
    #[error("the server did not answer: {0}")]
    Broken(#[from] hyper::Error),
    /// The answer took too long.
    #[error("the server did not answer within 30 seconds")]
    TooSlow,
    /// The server does not take the token.
    #[error(
        "the server refuses the token that was made with the key in {data}: name its own directory with --data"
    )]
    OtherServer {
        /// The data directory.
        data: String,
    },
    /// The server refused.
    #[error("{0}")]
    Refused(String),
    /// The answer is none of this service's.
    #[error("the answer is not one of an imageshare server")]
    Strange,
}

/// Does what was asked for. Returns what is to be printed.
///
/// # Errors
/// Says what is in the way.
pub async fn run(command: &AccessKeyCommand) -> Result<String, AccessKeyError> {
    match command {
        AccessKeyCommand::Create { name, roles, json, whose } => {
            let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
            let body = json!({ "name": name, "roles": roles });
            let key = ask(whose, "POST", "/v1/access-keys", Some(&body)).await?;
            if *json {
                Ok(format!("{key}\n"))
            } else {
                Ok(format!("id={}\nsecret={}\n", text(&key, "id")?, text(&key, "secret")?))
            }
        }
        AccessKeyCommand::List { json, whose } => {
            let keys = list(whose).await?;
            if *json { Ok(format!("{}\n", Value::from(keys))) } else { lines(&keys) }
        }
        AccessKeyCommand::Disable { id, whose } => {
            ask(whose, "DELETE", &format!("/v1/access-keys/{id}"), None).await?;
            Ok(String::new())
        }
    }
}

/// All pages.
async fn list(whose: &AccessKeyOwner) -> Result<Vec<Value>, AccessKeyError> {
    let (mut keys, mut target) = (Vec::new(), "/v1/access-keys".to_owned());
    loop {
        let mut page = ask(whose, "GET", &target, None).await?;
        let Some(Value::Array(listed)) = page.get_mut("access_keys").map(Value::take) else {
            return Err(AccessKeyError::Strange);
        };
        keys.extend(listed);
        match page.pointer("/page_info/next_marker").and_then(Value::as_str) {
            Some(marker) => target = format!("/v1/access-keys?marker={marker}"),
            None => return Ok(keys),
        }
    }
}

fn lines(keys: &[Value]) -> Result<String, AccessKeyError> {
    let mut lines = String::new();
    for key in keys {
        let state = if key.get("disabled_at").is_some_and(Value::is_string) { "disabled" } else { "enabled" };
        let roles = key.get("roles").and_then(Value::as_array).into_iter().flatten();
        let roles = roles.filter_map(Value::as_str).collect::<Vec<_>>().join(",");
        let (id, master, created) = (text(key, "id")?, text(key, "master_key")?, text(key, "created_at")?);
        // A text is always written.
        let _ =
            writeln!(lines, "{id}\t{state}\t{roles}\t{master}\t{created}\t{}", printable(text(key, "name")?));
    }
    Ok(lines)
}

/// A name may hold anything, and must neither end a line nor move a terminal's cursor.
fn printable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn text<'a>(key: &'a Value, name: &str) -> Result<&'a str, AccessKeyError> {
    key.get(name).and_then(Value::as_str).ok_or(AccessKeyError::Strange)
}

/// Sends one request as an admin in that project. Returns the body of the answer.
async fn ask(
    whose: &AccessKeyOwner,
    method: &str,
    target: &str,
    body: Option<&Value>,
) -> Result<Value, AccessKeyError> {
    let grant = whose.holder.grant(vec![Role::Admin], Duration::from_mins(1));
    let token = SigningKey::open(&whose.data)?.token(&grant)?;
    let host = whose.server.authority().map_or("", |authority| authority.as_str());
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, host)
        .header("X-Auth-Token", token)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::from(body.map(Value::to_string).unwrap_or_default()))
        .map_err(|_| AccessKeyError::Strange)?;
    let answered = timeout(PATIENCE, send(&whose.server, request)).await;
    let (status, body) = answered.map_err(|_| AccessKeyError::TooSlow)??;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    match status {
        200..300 => Ok(body),
        401 => Err(AccessKeyError::OtherServer { data: whose.data.display().to_string() }),
        _ => match body.pointer("/error/message").and_then(Value::as_str) {
            Some(message) => Err(AccessKeyError::Refused(message.to_owned())),
            None => Err(AccessKeyError::Strange),
        },
    }
}

async fn send(server: &Uri, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), AccessKeyError> {
    let unreachable = |problem| AccessKeyError::Unreachable { server: server.clone(), problem };
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, server.port_u16().unwrap_or(80))).await.map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let talking = tokio::spawn(connection);
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await?.to_bytes();
    talking.abort();
    Ok((status, body))
}
