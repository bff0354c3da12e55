//! A server over a table in DynamoDB: how it starts, what it refuses, the command that makes its table, and its health.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableDescription,
};
use imageshare_local::TABLE;
use imageshare_local::keys::{SigningKey, open_master_keys};
use imageshare_tests::binaries::binary;
use imageshare_tests::server_process::ServerProcess;
use imageshare_tests::table_server::{Fault, TableServer};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::wait_for_line;

/// The environment of a command that finds its credentials there, and looks for them nowhere else.
fn credentials() -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

fn keys() -> TempDir {
    let keys = TempDir::new().unwrap();
    SigningKey::open_or_create(keys.path()).unwrap();
    open_master_keys(keys.path()).unwrap();
    keys
}

/// Runs a command to its end. Returns its exit code and what it has printed.
async fn run(arguments: &[&str], environment: Vec<(&'static str, String)>) -> (Option<i32>, String, String) {
    let mut command = Command::new(binary("imageshare"));
    command.args(arguments).envs(environment).env_remove("AWS_PROFILE");
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let Output { status, stdout, stderr } = ended;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Runs a server that does not start. Returns its error.
async fn refusal(table: &str, endpoint: &str, keys: &Path) -> String {
    let keys = keys.to_str().unwrap();
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--table", table, "--endpoint-url", endpoint, "--keys", keys];
    let (code, _, stderr) = run(&arguments, credentials()).await;
    assert_eq!(code, Some(1), "{stderr}");
    stderr.lines().last().unwrap_or_default().to_owned()
}

async fn start(server: &TableServer, keys: &Path) -> ServerProcess {
    let (endpoint, keys) = (server.endpoint(), keys.to_str().unwrap());
    let arguments = ["--table", TABLE, "--endpoint-url", &endpoint, "--keys", keys];
    ServerProcess::start_with_env(&binary("imageshare"), &arguments, credentials()).await
}

async fn describe(server: &TableServer, name: &str) -> TableDescription {
    server.client().describe_table().table_name(name).send().await.unwrap().table.unwrap()
}

#[tokio::test]
async fn two_servers_accept_tokens_and_access_keys_of_each_other() {
    let (table, keys) = (TableServer::start().await, keys());
    let (first, second) = (start(&table, keys.path()).await, start(&table, keys.path()).await);
    let started = wait_for_line(&first, "started", &[]).await;
    assert_eq!((&started["table"], &started["region"]), (&json!(TABLE), &json!("eu-west-1")));
    assert_eq!(started["table_place"], json!(table.endpoint()));

    let token = first.token("own1", "member");
    let client = reqwest::Client::new();
    let call =
        async |server: &ServerProcess, method: &str, path: &str, token: Option<&str>, body: Option<Value>| {
            let url = format!("http://{}{path}", server.address);
            let mut request = client.request(method.parse().unwrap(), url);
            if let Some(token) = token {
                request = request.header("x-auth-token", token);
            }
            if let Some(body) = body {
                request = request.json(&body);
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, response.json::<Value>().await.unwrap_or_default())
        };
    let (status, image) =
        call(&first, "POST", "/v2/images", Some(&token), Some(json!({"name": "golden"}))).await;
    assert_eq!(status, 201, "{image}");
    let path = format!("/v2/images/{}", image["id"].as_str().unwrap());
    assert_eq!(call(&second, "GET", &path, Some(&token), None).await.0, 200);

    let (status, key) =
        call(&first, "POST", "/v1/access-keys", Some(&token), Some(json!({"name": "ci"}))).await;
    assert_eq!(status, 201, "{key}");
    let user = json!({"name": key["id"], "password": key["secret"], "domain": {"id": "default"}});
    let login = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
    let (status, answer) = call(&second, "POST", "/v3/auth/tokens", None, Some(login)).await;
    assert_eq!(status, 201, "{answer}");
}

#[tokio::test]
async fn server_over_a_wrong_table_says_what_to_do() {
    let (server, keys) = (TableServer::start().await, keys());
    let endpoint = server.endpoint();
    let refused = refusal("missing", &endpoint, keys.path()).await;
    for wanted in [
        format!("there is no table missing in {endpoint}"),
        "`imageshare table create --table missing`".to_owned(),
    ] {
        assert!(refused.contains(&wanted), "{refused}");
    }
    let attribute = |name: &str| {
        let definition = AttributeDefinition::builder().attribute_name(name);
        definition.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let key = |name: &str, kind: KeyType| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap()
    };
    let create = server.client().create_table().table_name("other").billing_mode(BillingMode::PayPerRequest);
    let create = create.attribute_definitions(attribute("pk")).attribute_definitions(attribute("sk"));
    let create = create.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
    create.send().await.unwrap();
    let refused = refusal("other", &endpoint, keys.path()).await;
    assert!(
        refused
            .contains("the index lists is missing; the index names is missing; the index updates is missing"),
        "{refused}"
    );
    server.fail("DescribeTable", Fault::InternalError, 100);
    let refused = refusal(TABLE, &endpoint, keys.path()).await;
    assert!(refused.contains("DescribeTable of the table imageshare"), "{refused}");
    // Bound and closed, so that nothing listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = refusal(TABLE, &format!("http://{closed}"), keys.path()).await;
    assert!(refused.contains("DynamoDB does not answer for the table imageshare"), "{refused}");
}

#[tokio::test]
async fn server_with_keys_that_others_lack_is_refused() {
    let (server, keys) = (TableServer::start().await, keys());
    let first = start(&server, keys.path()).await;
    let other = TempDir::new().unwrap();
    open_master_keys(other.path()).unwrap();
    // Both were made today, so they have the same id.
    let refused = refusal(TABLE, &server.endpoint(), other.path()).await;
    assert!(refused.contains("differs from the one that another server of this table has"), "{refused}");
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--table", TABLE, "--endpoint-url", &server.endpoint()];
    let (_, _, stderr) = run(&arguments, credentials()).await;
    assert!(stderr.contains("needs keys that all servers of the table share"), "{stderr}");
    drop(first);
}

#[tokio::test]
async fn server_without_credentials_or_region_is_refused() {
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--table", TABLE, "--jwks", "https://127.0.0.1:1/jwks"];
    let none = || {
        let mut environment = credentials();
        environment.retain(|(name, _)| *name == "AWS_EC2_METADATA_DISABLED");
        environment.extend([
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
        ]);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"] {
            environment.push((name, String::new()));
        }
        environment
    };
    let (code, _, stderr) = run(&arguments, none()).await;
    assert!(
        code == Some(1) && stderr.contains("needs a region: set AWS_REGION or --table-region"),
        "{stderr}"
    );
    let arguments = [&arguments[..], &["--table-region", "eu-west-1"]].concat();
    let (code, _, stderr) = run(&arguments, none()).await;
    assert!(code == Some(1) && stderr.contains("no AWS credentials were found"), "{stderr}");
}

#[tokio::test]
async fn table_create_makes_the_table_and_can_be_repeated() {
    let server = TableServer::start().await;
    let endpoint = server.endpoint();
    let create = ["table", "create", "--table", "fresh", "--endpoint-url", &endpoint, "--tag", "team=images"];
    let (code, printed, stderr) = run(&create, credentials()).await;
    assert_eq!(code, Some(0), "{stderr}");
    for line in ["the table was created", "expiry of items was switched on", "the table fresh in"] {
        assert!(printed.contains(line), "{printed}");
    }
    let (made, own) = (describe(&server, "fresh").await, describe(&server, TABLE).await);
    assert_eq!(made.key_schema, own.key_schema);
    assert_eq!(made.global_secondary_indexes().len(), own.global_secondary_indexes().len());
    assert_eq!(made.deletion_protection_enabled, Some(true));
    let stream = made.stream_specification.unwrap();
    assert_eq!(stream.stream_view_type.unwrap().as_str(), "NEW_AND_OLD_IMAGES");

    let (code, printed, stderr) = run(&create, credentials()).await;
    assert!(code == Some(0) && printed.starts_with("the table exists\n"), "{printed}{stderr}");
    // The service's own table was made without these protections.
    let complete = ["table", "create", "--table", TABLE, "--endpoint-url", &endpoint];
    let (code, printed, _) = run(&complete, credentials()).await;
    assert!(code == Some(0) && printed.contains("deletion protection was switched on"), "{printed}");
    let keys = keys();
    start(&server, keys.path()).await;
}

#[tokio::test]
async fn health_command_tells_health_from_trouble_and_silence() {
    let (table, keys) = (TableServer::start().await, keys());
    let mut server = start(&table, keys.path()).await;
    let url = format!("http://{}", server.address);
    let ask = async |more: &[&str]| run(&[&["health", "--server", &url], more].concat(), Vec::new()).await;
    assert_eq!(ask(&[]).await, (Some(0), "ok\n".to_owned(), String::new()));
    assert_eq!(ask(&["--ready"]).await.0, Some(0));
    table.fail("GetItem", Fault::Throttled, 100_000);
    // The last answer is used for some seconds.
    let unhealthy = async {
        loop {
            let (code, line, _) = ask(&[]).await;
            if code != Some(0) {
                return (code, line);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (code, line) = tokio::time::timeout(Duration::from_mins(2), unhealthy).await.unwrap();
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("reports 503: DynamoDB does not respond within a second, or throttles"), "{line}");
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
    let (code, line, _) = ask(&[]).await;
    assert!(code == Some(3) && line.contains("no server answers at"), "{line}");
}
