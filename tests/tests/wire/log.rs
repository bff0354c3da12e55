//! What the log says of a request, and that it contains nothing to make one with.

use http::Method;
use imageshare::domain::Timestamp;
use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::issuer::Issuer;
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::server_process::ServerProcess;
use imageshare_tests::signer::{Signer, UnsignedRequest, WireRequest};
use serde_json::{Value, json};

const TOKENS: &str = "/v3/auth/tokens";

/// A server that logs everything it can, and the secrets that must not be in its log.
struct Fixture {
    server: ServerProcess,
    secrets: Vec<String>,
    requests: usize,
}

impl Fixture {
    async fn send(&mut self, wire: &WireRequest) -> (u16, Value, Option<String>) {
        let query = if wire.query.is_empty() { String::new() } else { format!("?{}", wire.query) };
        let url = format!("http://{}{}{query}", self.server.address, wire.path);
        let method: Method = wire.method.parse().unwrap();
        let request =
            reqwest::Client::new().request(method, url).headers(wire.header_map()).body(wire.body.clone());
        let response = request.send().await.unwrap();
        self.requests += 1;
        let status = response.status().as_u16();
        let subject =
            response.headers().get("x-subject-token").map(|token| token.to_str().unwrap().to_owned());
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null), subject)
    }

    /// Records a token, and its signature, as secrets.
    fn add_secret_token(&mut self, token: &str) {
        self.secrets.push(token.to_owned());
        self.secrets.extend(token.rsplit_once('.').map(|(_, signature)| signature.to_owned()));
    }

    /// Records the signature of a request, in all its encodings.
    fn add_secret_signature(&mut self, wire: &WireRequest) {
        for (_, value) in wire.headers.iter().filter(|(name, _)| name == "Authorization") {
            self.secrets.extend(value.rsplit_once("Signature=").map(|(_, signature)| signature.to_owned()));
        }
        for text in [wire.query.as_str(), std::str::from_utf8(&wire.body).unwrap_or_default()] {
            let signature = text.split('&').find_map(|pair| pair.strip_prefix("Signature="));
            self.secrets.extend(signature.map(str::to_owned));
            self.secrets.extend(
                signature.map(|text| text.replace("%3D", "=").replace("%2B", "+").replace("%2F", "/")),
            );
        }
    }

    async fn list_with_token(&mut self, token: &str) -> u16 {
        self.add_secret_token(token);
        self.send(&UnsignedRequest::new("GET", "/v2/cloudimages").header("X-Auth-Token", token).to_wire())
            .await
            .0
    }

    /// Requests a token from Keystone's API.
    async fn request_token(&mut self, identity: &Value) -> (u16, Option<String>) {
        let unsigned = UnsignedRequest::new("POST", TOKENS).json(json!({"auth": {"identity": identity}}));
        let (status, _, subject) = self.send(&unsigned.to_wire()).await;
        (status, subject)
    }
}

async fn send_with_tokens(fixture: &mut Fixture) {
    let good = fixture.server.token("own1", "member");
    assert_eq!(fixture.list_with_token(&good).await, 200);
    let show =
        UnsignedRequest::new("GET", TOKENS).header("X-Auth-Token", &good).header("X-Subject-Token", &good);
    assert_eq!(fixture.send(&show.to_wire()).await.0, 200);
    let (message, _) = good.rsplit_once('.').unwrap();
    assert_eq!(fixture.list_with_token(&format!("{message}.Zm9yZ2VkLXNpZ25hdHVyZQ")).await, 401);
    assert_eq!(fixture.list_with_token("opaque-token-that-a-keystone-knows").await, 200);
    assert_eq!(fixture.list_with_token("opaque-token%C3%A9").await, 401);
}

async fn send_with_password(fixture: &mut Fixture, signer: &Signer) {
    for (secret, status) in [(signer.secret.as_str(), 201), ("a-secret-with-a-mistake", 401)] {
        fixture.secrets.push(secret.to_owned());
        for identity in [
            json!({"methods": ["password"], "password": {"user": {"name": signer.key_id, "password": secret}}}),
            json!({"methods": ["application_credential"],
                "application_credential": {"id": signer.key_id, "secret": secret}}),
        ] {
            let (answered, token) = fixture.request_token(&identity).await;
            assert_eq!(answered, status);
            if let Some(token) = token {
                assert_eq!(fixture.list_with_token(&token).await, 200);
                let again = json!({"methods": ["token"], "token": {"id": token}});
                assert_eq!(fixture.request_token(&again).await.0, 201);
            }
        }
    }
}

async fn send_with_signature(fixture: &mut Fixture, signer: &Signer) {
    let wrong = Signer { secret: "another-secret-with-a-mistake".to_owned(), ..signer.clone() };
    fixture.secrets.push(wrong.secret.clone());
    let list = UnsignedRequest::new("GET", "/v2/cloudimages");
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let action = [own("Action", "DescribeImages"), own("Version", "2020-09-30"), own("RegionId", "local")];
    for (signer, status) in [(signer, 200), (&wrong, 401)] {
        for wire in [signer.sign_access(&list, &[]), signer.sign_credential(&list, &[], "", "")] {
            fixture.add_secret_signature(&wire);
            assert_eq!(fixture.send(&wire).await.0, status);
        }
        let kind = if status == 200 { "good" } else { "bad" };
        let nonce = |form: &str| format!("nonce-of-{form}-{kind}");
        let action_by =
            |method: &str| UnsignedRequest { query: action.to_vec(), ..UnsignedRequest::new(method, "/") };
        let acs3 = signer.sign_acs3(&action_by("POST"), &[], &nonce("acs3"));
        let in_query = |method: &str| UnsignedRequest {
            query: signer.sign_rpc(method, &action, &nonce(method)),
            ..action_by(method)
        };
        let in_form = {
            let written = UnsignedRequest {
                query: signer.sign_rpc("POST", &action, &nonce("form")),
                ..action_by("POST")
            }
            .to_wire();
            let mut form = WireRequest { query: String::new(), body: written.query.into_bytes(), ..written };
            form.set_header("Content-Type", "application/x-www-form-urlencoded");
            form
        };
        for wire in [acs3, in_query("POST").to_wire(), in_query("GET").to_wire(), in_form] {
            fixture.add_secret_signature(&wire);
            let expected = if status == 200 { 200 } else { 400 };
            assert_eq!(fixture.send(&wire).await.0, expected, "{wire:?}");
            assert_eq!(fixture.send(&wire).await.0, 400, "a nonce is used once");
        }
        fixture.secrets.extend(["acs3", "POST", "GET", "form"].map(nonce));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_log_contains_no_credentials() {
    let keystone = Issuer::start().await;
    let expires = Timestamp::now().plus(std::time::Duration::from_hours(1)).to_iso_millis();
    keystone.set_response(
        200,
        json!({"token": {"expires_at": expires, "project": {"id": "own1"}, "roles": [{"name": "member"}]}}),
    );
    let arguments = ["--memory", "--keystone", &keystone.url()];
    let server = ServerProcess::start_with_log_level(&binary("imageshare"), &arguments, "trace").await;
    let mut fixture = Fixture { server, secrets: Vec::new(), requests: 0 };
    send_with_tokens(&mut fixture).await;

    let token = fixture.server.token("own1", "member");
    fixture.add_secret_token(&token);
    let new = UnsignedRequest::new("POST", "/v1/access-keys")
        .header("X-Auth-Token", &token)
        .json(json!({"name": "ci"}));
    let (status, key, _) = fixture.send(&new.to_wire()).await;
    assert_eq!(status, 201);
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let signer = Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() };
    send_with_password(&mut fixture, &signer).await;
    send_with_signature(&mut fixture, &signer).await;

    fixture.server.terminate();
    let log = fixture.server.log();
    for secret in &fixture.secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
    let lines = log.lines().filter(|line| line.contains("\"operation\":\""));
    assert_eq!(lines.count(), fixture.requests, "a line for each request");
}

#[tokio::test]
async fn function_log_contains_no_credentials() {
    let world = Deployment::start().await;
    let mut env = world.env();
    env.push(("RUST_LOG", "trace".to_owned()));
    let mut function = LambdaProcess::start(&binary("images"), env).await.unwrap();
    let good = Deployment::token("own1", "member");
    for (token, status) in [(good.as_str(), 200), ("e30.e30.forged-signature", 401)] {
        let event = HttpEvent::new("GET /v2/cloudimages", "/v2/cloudimages").token(token).build();
        assert_eq!(function.invoke(&event).await.unwrap()["statusCode"], status);
    }
    let log = function.log();
    for secret in [good.rsplit_once('.').unwrap().1, "forged-signature"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    assert_eq!(log.lines().filter(|line| line.contains("\"operation\":\"GET /v2/cloudimages\"")).count(), 2);
}
