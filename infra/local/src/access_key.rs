//! `imageshare access-key`: asks a server over its own API: a local one for any project, another one with a token
//! of the project.

use std::fmt::Write as _;
use std::time::Duration;

use imageshare::domain::Role;
use serde_json::{Value, json};

use crate::cli::{AccessKeyCommand, AccessKeyOwner, Holder};
use crate::client::{Client, ClientError};

/// Does what was asked for. Returns what is to be printed.
///
/// # Errors
/// Says what is in the way.
pub async fn run(command: &AccessKeyCommand) -> Result<String, ClientError> {
    let client = client(command.owner()).await?;
    match command {
        AccessKeyCommand::Create { name, roles, json, .. } => {
            let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
            let body = json!({ "name": name, "roles": roles });
            let key = client.ask("POST", "/v1/access-keys", Some(&body)).await?;
            if *json {
                Ok(format!("{key}\n"))
            } else {
                Ok(format!("id={}\nsecret={}\n", text(&key, "id")?, text(&key, "secret")?))
            }
        }
        AccessKeyCommand::List { json, .. } => {
            let keys = list(&client).await?;
            if *json { Ok(format!("{}\n", Value::from(keys))) } else { lines(&keys) }
        }
        AccessKeyCommand::Disable { id, .. } => {
            client.ask("DELETE", &format!("/v1/access-keys/{id}"), None).await?;
            Ok(String::new())
        }
    }
}

/// All pages.
async fn list(client: &Client) -> Result<Vec<Value>, ClientError> {
    let (mut keys, mut target) = (Vec::new(), "/v1/access-keys".to_owned());
    loop {
        let mut page = client.ask("GET", &target, None).await?;
        let Some(Value::Array(listed)) = page.get_mut("access_keys").map(Value::take) else {
            return Err(ClientError::Strange);
        };
        keys.extend(listed);
        match page.pointer("/page_info/next_marker").and_then(Value::as_str) {
            Some(marker) => target = format!("/v1/access-keys?marker={marker}"),
            None => return Ok(keys),
        }
    }
}

fn lines(keys: &[Value]) -> Result<String, ClientError> {
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
pub(crate) fn printable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn text<'a>(key: &'a Value, name: &str) -> Result<&'a str, ClientError> {
    key.get(name).and_then(Value::as_str).ok_or(ClientError::Strange)
}

/// Asks as an admin in that project of a local server, or with the token that was given, which must act for that project.
async fn client(whose: &AccessKeyOwner) -> Result<Client, ClientError> {
    let client = Client::at(&whose.place, whose.holder.grant(vec![Role::Admin], Duration::from_mins(1)))?;
    if !client.has_given_token() {
        return Ok(client);
    }
    let Holder { project, account, user } = &whose.holder;
    if account.is_some() || user.is_some() {
        return Err(ClientError::Holder);
    }
    let answer = client.ask("GET", "/v3/auth/projects", None).await?;
    let own = answer.get("projects").and_then(Value::as_array).ok_or(ClientError::Strange)?;
    let acts_for_it = own.iter().any(|own| own.get("id").and_then(Value::as_str) == Some(project.as_str()));
    if acts_for_it { Ok(client) } else { Err(ClientError::OtherProject(project.clone())) }
}
