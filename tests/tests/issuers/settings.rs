//! Tokens of others, as a server and a function are told of them.

use std::time::Duration;

use imageshare::domain::Timestamp;
use imageshare_tests::binaries::binary;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::issuer::{Authority, Issuer, key_set, token};
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::server::Server;
use imageshare_tests::world::World;
use serde_json::{Value, json};

use super::described;

const PROVIDER: &str = "https://provider.example";

fn claims(issuer: &str) -> Value {
    let exp = Timestamp::now().unix_seconds() + 300;
    json!({"iss": issuer, "aud": ["imageshare"], "project_id": "own1", "roles": ["member"], "exp": exp})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_believes_its_own_tokens_a_providers_and_a_keystones() {
    let authority = Authority::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let provider = Issuer::start_tls(&authority, "127.0.0.1").await;
    let keystone = Issuer::start_tls(&authority, "127.0.0.1").await;
    provider.answer(200, key_set(&["one"]));
    let expires = Timestamp::now().plus(Duration::from_hours(1));
    keystone.answer(200, described(expires));
    let (jwks, keystone_url) = (format!("{}/jwks.json", provider.url()), format!("{}/v3", keystone.url()));
    let arguments = [
        ["--jwks", &jwks],
        ["--issuer", PROVIDER],
        ["--audience", "imageshare"],
        ["--keystone", &keystone_url],
        ["--issuer-ca", file.path().to_str().unwrap()],
    ];
    let arguments = [vec!["--memory"], arguments.concat()].concat();
    let server = Server::start(&binary("imageshare"), &arguments).await;
    let status = async |token: &str| {
        let url = format!("http://{}/v2/cloudimages", server.address);
        let answer = reqwest::Client::new().get(url).header("X-Auth-Token", token).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(status(&server.token("own1", "member")).await, 200);
    assert_eq!(status(&token("one", &claims(PROVIDER))).await, 200);
    assert_eq!(status(&token("one", &claims("https://other.example"))).await, 401);
    assert!(keystone.asked().is_empty());
    assert_eq!(status("gAAAA-good").await, 200);
    let show = reqwest::Client::new().get(format!("http://{}/v3/auth/tokens", server.address));
    let shown =
        show.header("X-Auth-Token", "gAAAA-good").header("X-Subject-Token", "gAAAA-good").send().await;
    let shown: Value = shown.unwrap().json().await.unwrap();
    let expires = expires.to_seconds_text().replace('Z', ".000000Z");
    assert_eq!(shown["token"]["expires_at"], expires, "as Keystone says");
    keystone.answer(404, Value::Null);
    assert_eq!(status("gAAAA-unknown").await, 401);
    keystone.answer(500, Value::Null);
    assert_eq!(status("gAAAA-who-knows").await, 503);
}

#[tokio::test]
async fn a_server_that_is_told_nonsense_says_which_argument_it_is() {
    for (argument, value, told) in [
        ("--jwks", "http://keys.example/jwks.json", "--jwks: expected https://HOST"),
        ("--keystone", "keystone.example", "--keystone: expected https://HOST"),
        ("--issuer-ca", "/nowhere/ca.pem", "--issuer-ca: cannot read /nowhere/ca.pem"),
        ("--claims", "user=sub", "user=sub: expected project=NAME"),
    ] {
        let mut command = std::process::Command::new(binary("imageshare"));
        command.args(["serve", "--memory", "--listen", "127.0.0.1:0", argument, value]);
        let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success() && said.contains(told), "{said}");
    }
}

fn with(env: &[(&'static str, String)], changed: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let kept = env.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name)).cloned();
    kept.chain(changed.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
}

async fn status_of(function: &mut LambdaProcess, token: &str) -> (u64, Value) {
    let event = HttpEvent::new("GET /v2/cloudimages", "/v2/cloudimages").token(token).build();
    let answer = function.invoke(&event).await.unwrap();
    (answer["statusCode"].as_u64().unwrap(), answer["headers"]["retry-after"].clone())
}

#[tokio::test]
async fn a_function_asks_an_issuer_whose_certificate_is_of_a_private_authority() {
    let (world, authority) = (World::start().await, Authority::new());
    let claims_at = ("IMAGESHARE_CLAIMS", "roles=realm_access.roles");
    let issuer = Issuer::start_tls(&authority, "127.0.0.1").await;
    issuer.answer(200, key_set(&["one"]));
    let (url, pem) = (issuer.url(), authority.pem());
    let told = [("IMAGESHARE_JWKS", &*url), ("IMAGESHARE_ISSUER", PROVIDER), ("IMAGESHARE_ISSUER_CA", &*pem)];
    let started = LambdaProcess::start(&binary("images"), with(&world.env(), &told)).await;
    let mut function = started.unwrap();
    assert_eq!(issuer.asked().len(), 1, "before the first request");
    assert_eq!(status_of(&mut function, &token("one", &claims(PROVIDER))).await.0, 200);

    for (name, value, told) in [
        ("IMAGESHARE_ISSUER_CA", "nonsense", "IMAGESHARE_ISSUER_CA: cannot read nonsense"),
        ("IMAGESHARE_CLAIMS", "roles", "IMAGESHARE_CLAIMS: roles: expected project=NAME"),
        ("IMAGESHARE_CLAIMS", "roles=a,roles=b", "IMAGESHARE_CLAIMS: roles is given twice"),
    ] {
        let nonsense = with(&world.env(), &[(name, value)]);
        let refused = LambdaProcess::start(&binary("images"), nonsense).await.err().unwrap().to_string();
        assert!(refused.contains(told), "{refused}");
    }

    let told = with(&with(&world.env(), &told), &[claims_at]);
    let mut function = LambdaProcess::start(&binary("images"), told).await.unwrap();
    let mut of_keycloak = claims(PROVIDER);
    of_keycloak["realm_access"] = json!({"roles": ["offline_access", "reader"]});
    of_keycloak["roles"] = json!(7);
    assert_eq!(status_of(&mut function, &token("one", &of_keycloak)).await.0, 200);
    assert_eq!(status_of(&mut function, &token("one", &claims(PROVIDER))).await.0, 401);
}

#[tokio::test]
async fn a_function_that_starts_while_its_issuer_is_down_says_to_come_again_until_it_is_up() {
    let (world, issuer) = (World::start().await, Issuer::start().await);
    issuer.answer(503, Value::Null);
    let told = [("IMAGESHARE_JWKS", &*issuer.url()), ("IMAGESHARE_ISSUER", PROVIDER)];
    let mut function = LambdaProcess::start(&binary("images"), with(&world.env(), &told)).await.unwrap();
    let good = token("one", &claims(PROVIDER));
    assert_eq!(status_of(&mut function, &good).await, (503, json!("1")));
    assert_eq!(status_of(&mut function, "opaque").await.0, 401, "no issuer need be asked about it");
    issuer.answer(200, key_set(&["one"]));
    // It asks again a second later.
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while status_of(&mut function, &good).await.0 != 200 {
        assert!(tokio::time::Instant::now() < patience, "{}", function.log());
    }
}
