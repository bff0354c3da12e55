//! The settings of other issuers, of a server and of a function.

use std::time::Duration;

use imageshare::domain::Timestamp;
use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::issuer::{CertificateAuthority, Issuer, key_set, sign_token};
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::server_process::ServerProcess;
use serde_json::{Value, json};

use super::keystone_token;

const PROVIDER_ISSUER: &str = "https://provider.example";

fn claims(issuer: &str) -> Value {
    let exp = Timestamp::now().unix_seconds() + 300;
    json!({"iss": issuer, "aud": ["imageshare"], "project_id": "own1", "roles": ["member"], "exp": exp})
}

#[tokio::test(flavor = "multi_thread")]
async fn server_accepts_own_provider_and_keystone_tokens() {
    let authority = CertificateAuthority::new();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    let provider = Issuer::start_tls(&authority, "127.0.0.1").await;
    let keystone = Issuer::start_tls(&authority, "127.0.0.1").await;
    provider.set_response(200, key_set(&["one"]));
    let expires = Timestamp::now().plus(Duration::from_hours(1));
    keystone.set_response(200, keystone_token(expires));
    let (jwks, keystone_url) = (format!("{}/jwks.json", provider.url()), format!("{}/v3", keystone.url()));
    let arguments = [
        ["--jwks", &jwks],
        ["--issuer", PROVIDER_ISSUER],
        ["--audience", "imageshare"],
        ["--keystone", &keystone_url],
        ["--issuer-ca", file.path().to_str().unwrap()],
    ];
    let arguments = [vec!["--memory"], arguments.concat()].concat();
    let server = ServerProcess::start(&binary("imageshare"), &arguments).await;
    let status = async |token: &str| {
        let url = format!("http://{}/v2/cloudimages", server.address);
        let response = reqwest::Client::new().get(url).header("X-Auth-Token", token).send().await.unwrap();
        response.status().as_u16()
    };
    assert_eq!(status(&server.token("own1", "member")).await, 200);
    assert_eq!(status(&sign_token("one", &claims(PROVIDER_ISSUER))).await, 200);
    assert_eq!(status(&sign_token("one", &claims("https://other.example"))).await, 401);
    assert!(keystone.take_requests().is_empty());
    assert_eq!(status("gAAAA-good").await, 200);
    let show = reqwest::Client::new().get(format!("http://{}/v3/auth/tokens", server.address));
    let shown =
        show.header("X-Auth-Token", "gAAAA-good").header("X-Subject-Token", "gAAAA-good").send().await;
    let shown: Value = shown.unwrap().json().await.unwrap();
    let expires = expires.to_iso_seconds().replace('Z', ".000000Z");
    assert_eq!(shown["token"]["expires_at"], expires, "as in the Keystone response");
    keystone.set_response(404, Value::Null);
    assert_eq!(status("gAAAA-unknown").await, 401);
    keystone.set_response(500, Value::Null);
    assert_eq!(status("gAAAA-who-knows").await, 503);
}

#[tokio::test]
async fn server_names_the_invalid_argument() {
    for (argument, value, expected) in [
        ("--jwks", "http://keys.example/jwks.json", "--jwks: expected https://HOST"),
        ("--keystone", "keystone.example", "--keystone: expected https://HOST"),
        ("--issuer-ca", "/nowhere/ca.pem", "--issuer-ca: cannot read /nowhere/ca.pem"),
        ("--claims", "user=sub", "user=sub: expected project=NAME"),
    ] {
        let mut command = std::process::Command::new(binary("imageshare"));
        command.args(["serve", "--memory", "--listen", "127.0.0.1:0", argument, value]);
        let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success() && stderr.contains(expected), "{stderr}");
    }
}

fn with_variables(
    env: &[(&'static str, String)],
    changed: &[(&'static str, &str)],
) -> Vec<(&'static str, String)> {
    let kept = env.iter().filter(|(name, _)| !changed.iter().any(|(other, _)| other == name)).cloned();
    kept.chain(changed.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
}

async fn status_of(function: &mut LambdaProcess, token: &str) -> (u64, Value) {
    let event = HttpEvent::new("GET /v2/cloudimages", "/v2/cloudimages").token(token).build();
    let response = function.invoke(&event).await.unwrap();
    (response["statusCode"].as_u64().unwrap(), response["headers"]["retry-after"].clone())
}

#[tokio::test]
async fn function_trusts_an_issuer_with_a_private_ca() {
    let (world, authority) = (Deployment::start().await, CertificateAuthority::new());
    let claims_at = ("IMAGESHARE_CLAIMS", "roles=realm_access.roles");
    let issuer = Issuer::start_tls(&authority, "127.0.0.1").await;
    issuer.set_response(200, key_set(&["one"]));
    let (url, pem) = (issuer.url(), authority.pem());
    let variables =
        [("IMAGESHARE_JWKS", &*url), ("IMAGESHARE_ISSUER", PROVIDER_ISSUER), ("IMAGESHARE_ISSUER_CA", &*pem)];
    let started = LambdaProcess::start(&binary("images"), with_variables(&world.env(), &variables)).await;
    let mut function = started.unwrap();
    assert_eq!(issuer.take_requests().len(), 1, "before the first request");
    assert_eq!(status_of(&mut function, &sign_token("one", &claims(PROVIDER_ISSUER))).await.0, 200);

    for (name, value, variables) in [
        ("IMAGESHARE_ISSUER_CA", "nonsense", "IMAGESHARE_ISSUER_CA is invalid: cannot read nonsense"),
        ("IMAGESHARE_CLAIMS", "roles", "IMAGESHARE_CLAIMS is invalid: roles: expected project=NAME"),
        ("IMAGESHARE_CLAIMS", "roles=a,roles=b", "IMAGESHARE_CLAIMS is invalid: roles is given twice"),
    ] {
        let nonsense = with_variables(&world.env(), &[(name, value)]);
        let mut function = LambdaProcess::start(&binary("images"), nonsense).await.unwrap();
        assert_eq!(status_of(&mut function, "any").await.0, 503);
        let is_logged = async {
            while !function.log().contains(variables) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_mins(2), is_logged).await;
        assert!(waited.is_ok(), "{variables}: {}", function.log());
    }

    let variables = with_variables(&with_variables(&world.env(), &variables), &[claims_at]);
    let mut function = LambdaProcess::start(&binary("images"), variables).await.unwrap();
    let mut of_keycloak = claims(PROVIDER_ISSUER);
    of_keycloak["realm_access"] = json!({"roles": ["offline_access", "reader"]});
    of_keycloak["roles"] = json!(7);
    assert_eq!(status_of(&mut function, &sign_token("one", &of_keycloak)).await.0, 200);
    assert_eq!(status_of(&mut function, &sign_token("one", &claims(PROVIDER_ISSUER))).await.0, 401);
}

#[tokio::test]
async fn function_returns_503_until_its_issuer_is_available() {
    let (world, issuer) = (Deployment::start().await, Issuer::start().await);
    issuer.set_response(503, Value::Null);
    let variables = [("IMAGESHARE_JWKS", &*issuer.url()), ("IMAGESHARE_ISSUER", PROVIDER_ISSUER)];
    let mut function =
        LambdaProcess::start(&binary("images"), with_variables(&world.env(), &variables)).await.unwrap();
    let good = sign_token("one", &claims(PROVIDER_ISSUER));
    assert_eq!(status_of(&mut function, &good).await, (503, json!("1")));
    assert_eq!(status_of(&mut function, "opaque").await.0, 401, "no issuer has to validate it");
    issuer.set_response(200, key_set(&["one"]));
    // The function fetches the keys again after a second.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while status_of(&mut function, &good).await.0 != 200 {
        assert!(tokio::time::Instant::now() < deadline, "{}", function.log());
    }
}
