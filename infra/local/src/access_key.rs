//! `imageshare access-key`: creates, lists and disables access keys over a server's API. A local server accepts it for
//! any project, another deployment with a token of the project.

use std::fmt::Write as _;
use std::time::Duration;

use imageshare::domain::{Role, Timestamp};
use serde_json::{Value, json};

use crate::cli::{AccessKeyCommand, AccessKeyTarget, Principal};
use crate::client::{Client, ClientError};

/// Runs the command, and returns its output. One request, or one per page of a list; an external token costs one more.
///
/// # Errors
/// [`ClientError`] if there is no token for the project, or the server refuses or does not respond.
pub async fn run(command: &AccessKeyCommand) -> Result<String, ClientError> {
    let client = open_client(command.target()).await?;
    match command {
        AccessKeyCommand::Create { name, roles, expires_at, json, .. } => {
            let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
            let mut body = json!({ "name": name, "roles": roles });
            if let (Value::Object(body), Some(end)) = (&mut body, expires_at) {
                body.insert("expires_at".to_owned(), end.as_str().into());
            }
            let key = client.request("POST", "/v1/access-keys", Some(&body)).await?;
            if *json {
                Ok(format!("{key}\n"))
            } else {
                Ok(format!("id={}\nsecret={}\n", string_field(&key, "id")?, string_field(&key, "secret")?))
            }
        }
        AccessKeyCommand::List { json, .. } => {
            let keys = list_keys(&client).await?;
            if *json { Ok(format!("{}\n", Value::from(keys))) } else { format_keys(&keys, Timestamp::now()) }
        }
        AccessKeyCommand::Disable { id, .. } => {
            client.request("DELETE", &format!("/v1/access-keys/{id}"), None).await?;
            Ok(String::new())
        }
    }
}

/// Reads the whole list, page by page.
async fn list_keys(client: &Client) -> Result<Vec<Value>, ClientError> {
    let (mut keys, mut target) = (Vec::new(), "/v1/access-keys".to_owned());
    loop {
        let mut page = client.request("GET", &target, None).await?;
        let Some(Value::Array(listed)) = page.get_mut("access_keys").map(Value::take) else {
            return Err(ClientError::UnexpectedResponse);
        };
        keys.extend(listed);
        match page.pointer("/page_info/next_marker").and_then(Value::as_str) {
            Some(marker) => target = format!("/v1/access-keys?marker={marker}"),
            None => return Ok(keys),
        }
    }
}

fn format_keys(keys: &[Value], now: Timestamp) -> Result<String, ClientError> {
    let mut lines = String::new();
    for key in keys {
        let time = |name| key.get(name).and_then(Value::as_str).and_then(Timestamp::parse_iso_seconds);
        let state = match (time("disabled_at"), time("expires_at")) {
            (Some(_), _) => "disabled",
            (None, Some(end)) if end <= now => "expired",
            (None, _) => "enabled",
        };
        let roles = key.get("roles").and_then(Value::as_array).into_iter().flatten();
        let roles = roles.filter_map(Value::as_str).collect::<Vec<_>>().join(",");
        let (id, master, created) =
            (string_field(key, "id")?, string_field(key, "master_key")?, string_field(key, "created_at")?);
        // Writing to a `String` never fails.
        let _ = writeln!(
            lines,
            "{id}\t{state}\t{roles}\t{master}\t{created}\t{}",
            sanitize_for_terminal(string_field(key, "name")?)
        );
    }
    Ok(lines)
}

/// Replaces control characters in a name, so that it neither ends the line nor moves a terminal's cursor.
pub(crate) fn sanitize_for_terminal(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn string_field<'a>(key: &'a Value, name: &str) -> Result<&'a str, ClientError> {
    key.get(name).and_then(Value::as_str).ok_or(ClientError::UnexpectedResponse)
}

/// Opens a client for the project's access keys: as an admin on a local server, or with another credential.
///
/// # Errors
/// [`ClientError::WrongProject`] if that credential does not act for the project.
async fn open_client(target: &AccessKeyTarget) -> Result<Client, ClientError> {
    let client = Client::for_server(
        &target.location,
        target.principal.token_claims(vec![Role::Admin], Duration::from_mins(1)),
    )?;
    let Some(credential) = client.external_source().cloned() else { return Ok(client) };
    let Principal { project, account, user } = &target.principal;
    if account.is_some() || user.is_some() {
        return Err(ClientError::PrincipalOptions);
    }
    let response = client.request("GET", "/v3/auth/projects", None).await?;
    let projects =
        response.get("projects").and_then(Value::as_array).ok_or(ClientError::UnexpectedResponse)?;
    let mut ids = projects.iter().filter_map(|project| project.get("id").and_then(Value::as_str));
    if ids.any(|id| id == project.as_str()) {
        Ok(client)
    } else {
        Err(ClientError::WrongProject { credential, project: project.clone() })
    }
}
