//! Master keys and token keys that are kept in SSM or Secrets Manager, read by the functions' real binaries.

use imageshare::domain::Timestamp;
use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::{Deployment, key_set, master_key};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::secret_server::SecretServer;
use imageshare_tests::signer::{Signer, UnsignedRequest};
use serde_json::{Value, json};

use super::{status_and_body, wait_until};

const MASTER_KEYS: &str = "ssm:/imageshare/master-keys";
const JWKS: &str = "secretsmanager:imageshare/jwks";

/// A deployment whose keys are references.
struct World {
    deployment: Deployment,
    secrets: SecretServer,
}

impl World {
    /// Starts one whose secrets hold the keys of other tests' deployments.
    async fn start() -> Self {
        let (deployment, secrets) = (Deployment::start().await, SecretServer::start().await);
        secrets.set(MASTER_KEYS, &format!("test:{}", master_key()));
        secrets.set(JWKS, &key_set());
        Self { deployment, secrets }
    }

    async fn start_function(&self, name: &str) -> LambdaProcess {
        self.start_function_at(name, &self.secrets.endpoint()).await
    }

    async fn start_function_at(&self, name: &str, endpoint: &str) -> LambdaProcess {
        let mut env = self.deployment.env();
        env.retain(|(name, _)| !["IMAGESHARE_MASTER_KEYS", "IMAGESHARE_JWKS"].contains(name));
        env.extend([
            ("IMAGESHARE_MASTER_KEYS", MASTER_KEYS.to_owned()),
            ("IMAGESHARE_JWKS", JWKS.to_owned()),
            ("AWS_ENDPOINT_URL_SSM", endpoint.to_owned()),
            // That of all services is used where a service has none of its own.
            ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ]);
        let started = LambdaProcess::start(&binary(name), env).await;
        started.unwrap_or_else(|problem| panic!("{name} {problem}"))
    }
}

fn register_event() -> HttpEvent {
    HttpEvent::new("POST /v2/images", "/v2/images").text(r#"{"name": "golden"}"#)
}

async fn register_status(images: &mut LambdaProcess, event: &HttpEvent) -> u64 {
    status_and_body(&images.invoke(&event.build()).await.unwrap()).0
}

/// Creates an access key, and returns a signer with it.
async fn create_access_key(identity: &mut LambdaProcess) -> Signer {
    let new = HttpEvent::new("POST /v1/access-keys", "/v1/access-keys").json(&json!({"name": "ci"}));
    let new = new.token(&Deployment::token("owner", "member")).build();
    let (status, key) = status_and_body(&identity.invoke(&new).await.unwrap());
    assert_eq!(status, 201, "{key}");
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    Signer { key_id: text("id"), secret: text("secret"), date: Timestamp::now() }
}

/// The registration of an image, signed with an access key.
fn signed_register_event(signer: &Signer) -> HttpEvent {
    let request = UnsignedRequest::new("POST", "/v2/images").json(r#"{"name": "golden"}"#);
    let wire = signer.sign_access(&request, &["host"]);
    let headers = wire.headers.iter().filter(|(name, _)| name != "Host");
    headers.fold(register_event(), |event, (name, value)| event.header(name, value))
}

/// Gets a Keystone token for an access key.
async fn issue_token(identity: &mut LambdaProcess, signer: &Signer) -> String {
    let user = json!({"name": signer.key_id, "domain": {"id": "default"}, "password": signer.secret});
    let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}});
    let event = HttpEvent::new("POST /v3/auth/tokens", "/v3/auth/tokens").json(&body).build();
    let response = identity.invoke(&event).await.unwrap();
    response["headers"]["x-subject-token"].as_str().unwrap_or_else(|| panic!("{response}")).to_owned()
}

fn sorted(mut calls: Vec<String>) -> Vec<String> {
    calls.sort();
    calls
}

#[tokio::test]
async fn function_reads_each_secret_once_before_its_first_request() {
    let world = World::start().await;
    let mut identity = world.start_function("identity").await;
    // A machine that was too slow for that says so in the function's log.
    if !identity.log().contains("has not responded yet") && !identity.log().contains("no response within") {
        assert_eq!(sorted(world.secrets.take_calls()), [JWKS, MASTER_KEYS], "while it initialises");
    }
    let mut images = world.start_function("images").await;
    let signer = create_access_key(&mut identity).await;
    assert_eq!(register_status(&mut images, &signed_register_event(&signer)).await, 201);
    world.secrets.take_calls();
    for _ in 0..3 {
        assert_eq!(register_status(&mut images, &signed_register_event(&signer)).await, 201);
    }
    let token = Deployment::token("owner", "member");
    assert_eq!(register_status(&mut images, &register_event().token(&token)).await, 201);
    assert_eq!(world.secrets.take_calls(), [""; 0], "what was read is used");
    for function in [&identity, &images] {
        let log = function.log();
        assert!(!log.contains(&master_key()) && !log.contains(&key_set()), "{log}");
        assert!(log.contains("the secret secretsmanager:imageshare/jwks"), "{log}");
    }
}

#[tokio::test]
async fn rotation_of_master_keys_interrupts_no_function() {
    let world = World::start().await;
    let mut images = world.start_function("images").await;
    let old = create_access_key(&mut world.start_function("identity").await).await;
    let rotated = format!("new:bmV3LW1hc3Rlci1rZXktb2YtMzItYnl0ZXMtYW5kLW1vcmU=\ntest:{}", master_key());
    world.secrets.set(MASTER_KEYS, &rotated);
    // A function that starts after the rotation derives new access keys from the new master key.
    let mut identity = world.start_function("identity").await;
    let new = create_access_key(&mut identity).await;
    let issued = issue_token(&mut identity, &new).await;
    // Calls for a new master key are at least a second apart, and the clock of a function is the machine's.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    world.secrets.take_calls();
    assert_eq!(register_status(&mut images, &register_event().token(&issued)).await, 201, "{}", images.log());
    for signer in [&new, &old] {
        assert_eq!(register_status(&mut images, &signed_register_event(signer)).await, 201);
    }
    assert_eq!(world.secrets.take_calls(), [MASTER_KEYS], "one call for the new master key");
}

#[tokio::test]
async fn unusable_secret_is_named_until_it_is_repaired() {
    let world = World::start().await;
    let good = format!("test:{}", master_key());
    let wrong = |world: &World, fault: &'static str| match fault {
        "too short" | "" => world.secrets.set(MASTER_KEYS, fault),
        code => world.secrets.fail(MASTER_KEYS, code),
    };
    for (fault, expected) in [
        ("ParameterNotFound", "does not exist"),
        ("AccessDeniedException", "may not be read"),
        ("InternalServerError", "cannot be read now"),
        ("too short", "holds a value that is not valid"),
        ("", "holds a value that is not valid"),
    ] {
        wrong(&world, fault);
        let mut documents = world.start_function("documents").await;
        let mut images = world.start_function("images").await;
        let event = register_event().token(&Deployment::token("owner", "member"));
        let response = images.invoke(&event.build()).await.unwrap();
        assert_eq!(
            (status_and_body(&response).0, &response["headers"]["retry-after"]),
            (503, &json!("1")),
            "{fault}: {response}"
        );
        let health = HttpEvent::new("GET /health", "/health").build();
        let named = format!("IMAGESHARE_MASTER_KEYS: the parameter {MASTER_KEYS} {expected}");
        wait_until("health names the fault", async || {
            let (status, body) = status_and_body(&documents.invoke(&health).await.unwrap());
            let message = body["error"]["message"].as_str().unwrap();
            assert!(status == 503 && !message.contains("service's message"), "{message}");
            message.contains(&named)
        })
        .await;
        let log = documents.log();
        let is_named = |line: &str| line.contains(r#""level":"ERROR""#) && line.contains(&named);
        assert!(log.lines().any(is_named), "{fault}: {log}");

        world.secrets.set(MASTER_KEYS, &good);
        wait_until("images recovers", async || register_status(&mut images, &event).await == 201).await;
        wait_until("health recovers", async || {
            status_and_body(&documents.invoke(&health).await.unwrap()).0 == 200
        })
        .await;
    }
}

#[tokio::test]
async fn silent_secret_service_leaves_the_function_responding() {
    let world = World::start().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut images = world.start_function_at("images", &endpoint).await;
    let event = register_event().token(&Deployment::token("owner", "member"));
    let response: Value = images.invoke(&event.build()).await.unwrap();
    assert_eq!(
        (status_and_body(&response).0, &response["headers"]["retry-after"]),
        (503, &json!("1")),
        "{response}"
    );
    assert!(images.log().contains("no response within 2 seconds"), "{}", images.log());
}
