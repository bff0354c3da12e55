//! A function that reads its keys from the emulator's Parameter Store and Secrets Manager, in the name of a role whose policy the
//! emulator enforces.

use imageshare_tests::aws::{Emulator, REGION, available};
use imageshare_tests::binaries::binary;
use imageshare_tests::deployment::{Deployment, key_set, master_key};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::lambda_process::LambdaProcess;
use serde_json::{Value, json};

use super::{target, tests};

const ACCOUNT: &str = "000000000000";
const PARAMETER: &str = "/imageshare/master-keys";

/// The emulator with both secrets, and a deployment whose table is not the emulator's.
struct World {
    emulator: Emulator,
    deployment: Deployment,
    /// The ARN of the key set.
    jwks: String,
}

impl World {
    async fn new(emulator: Emulator) -> Self {
        let keys = format!("test:{}", master_key());
        let parameter = json!({"Name": PARAMETER, "Type": "SecureString", "Value": keys});
        emulator.call("ssm", "put_parameter", &parameter).await;
        let secret = json!({"Name": "imageshare/jwks", "SecretString": key_set()});
        let created = emulator.call("secretsmanager", "create_secret", &secret).await;
        let jwks = created["ARN"].as_str().unwrap().to_owned();
        Self { emulator, deployment: Deployment::start().await, jwks }
    }

    /// Creates a role with these statements, and returns credentials of it.
    async fn role(&self, name: &str, statements: Value) -> Value {
        let root = format!("arn:aws:iam::{ACCOUNT}:root");
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": root}}]});
        let role = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
        self.emulator.call("iam", "create_role", &role).await;
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let policy = json!({"RoleName": name, "PolicyName": "function", "PolicyDocument": policy});
        self.emulator.call("iam", "put_role_policy", &policy).await;
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
        let session = json!({"RoleArn": arn, "RoleSessionName": "function"});
        self.emulator.call("sts", "assume_role", &session).await["Credentials"].clone()
    }

    /// Starts `identity` with these credentials and this reference to the master keys.
    async fn start(&self, credentials: &Value, master_keys: &str) -> LambdaProcess {
        let credential = |name: &str| credentials[name].as_str().unwrap().to_owned();
        let changed = [
            ("IMAGESHARE_MASTER_KEYS", master_keys.to_owned()),
            ("IMAGESHARE_JWKS", self.jwks.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", credential("AccessKeyId")),
            ("AWS_SECRET_ACCESS_KEY", credential("SecretAccessKey")),
            ("AWS_SESSION_TOKEN", credential("SessionToken")),
            ("AWS_ENDPOINT_URL_SSM", self.emulator.url()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.emulator.url()),
        ];
        let mut env = self.deployment.env();
        env.retain(|(name, _)| changed.iter().all(|(other, _)| other != name));
        env.extend(changed);
        let started = LambdaProcess::start(&binary("identity"), env).await;
        started.unwrap_or_else(|problem| panic!("identity {problem}"))
    }
}

/// Creates access keys until the status is `expected` and the function's log contains a text, since the emulator may need longer
/// for a call than the function waits.
async fn wait_for(identity: &mut LambdaProcess, expected: u16, text: &str) {
    let new = HttpEvent::new("POST /v1/access-keys", "/v1/access-keys").json(&json!({"name": "ci"}));
    let new = new.token(&Deployment::token("owner", "member")).build();
    for _ in 0..60 {
        let response: Value = identity.invoke(&new).await.unwrap();
        if response["statusCode"] == expected && identity.log().contains(text) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    panic!("no {expected} with {text}: {}", identity.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn function_reads_its_keys_in_the_name_of_its_role() {
    let Some(emulator) = available(Emulator::start(tests(), target()).await) else { return };
    let world = World::new(emulator).await;
    let parameter = format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{PARAMETER}");
    // As in `secrets.tf`.
    let statements = json!([
        {"Effect": "Allow", "Action": ["ssm:GetParameter"], "Resource": [parameter]},
        {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"], "Resource": [world.jwks]},
    ]);
    let reader = world.role("reader", statements.clone()).await;
    // By name, since the emulator's policies do not know a parameter by its ARN.
    let mut identity = world.start(&reader, &format!("ssm:{PARAMETER}")).await;
    wait_for(&mut identity, 201, "started").await;

    let other = world.role("other", json!([statements[1]])).await;
    let mut identity = world.start(&other, &format!("ssm:{PARAMETER}")).await;
    let expected = "IMAGESHARE_MASTER_KEYS: the parameter ssm:/imageshare/master-keys may not be read";
    wait_for(&mut identity, 503, expected).await;
}
