//! The environment of a function under test: a table, an issuer of tokens, and the environment variables that point
//! to them.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use imageshare::auth::{Authenticator, ExpectedClaims, MasterKeys};
use imageshare::domain::{Clock, Limits, Timestamp};
use imageshare::store::Store;
use imageshare::table::DynamoDb;
use imageshare::{App, Settings};
use imageshare_local::effects::{next_batch, remove};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::binaries::binary;
use crate::events::{stream_event, stream_record};
use crate::lambda_process::LambdaProcess;
use crate::table_server::{REGION, TableServer};

/// The table's name.
pub use imageshare_local::TABLE;

/// The issuer (`iss`) of these tokens.
pub const ISSUER: &str = "https://issuer.example";
/// The audience (`aud`) of these tokens.
pub const AUDIENCE: &str = "imageshare";
const SECRET: &[u8] = b"a secret that every reader of this test knows";

/// A deployment for functions.
pub struct Deployment {
    table_server: TableServer,
    service: App,
}

impl Deployment {
    /// Starts a deployment with an empty table. It shares nothing with other deployments.
    pub async fn start() -> Self {
        Self::over(TableServer::start().await)
    }

    /// A deployment over this table server.
    pub fn over(database: TableServer) -> Self {
        let store = Store::new(DynamoDb::new(database.client(), TABLE), Clock::for_function());
        let settings = Arc::new(Settings {
            region: REGION.to_owned(),
            public_url: None,
            directory_is_complete: false,
            limits: Limits::default(),
            waiting_reads: None,
        });
        Self { table_server: database, service: App { store, settings } }
    }

    /// The use cases on this deployment's table, configured as its functions are.
    pub fn service(&self) -> &App {
        &self.service
    }

    /// The table server, to stall it or to read the table directly.
    pub fn table_server(&self) -> &TableServer {
        &self.table_server
    }

    /// The environment variables of this deployment's functions.
    pub fn env(&self) -> Vec<(&'static str, String)> {
        let mut env = function_settings();
        env.extend([
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_SESSION_TOKEN", "test".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.table_server.endpoint()),
        ]);
        env
    }

    /// Starts a function of this deployment. Its name is its access key, by which the table server knows it.
    pub async fn start_function(&self, name: &str) -> LambdaProcess {
        let mut env = self.env();
        env.retain(|(variable, _)| *variable != "AWS_ACCESS_KEY_ID");
        env.push(("AWS_ACCESS_KEY_ID", name.to_owned()));
        let started = LambdaProcess::start(&binary(name), env).await;
        started.unwrap_or_else(|problem| panic!("{name} {problem}"))
    }

    /// The stream event that inserts all items of the table. The worker may have had some of them already, and has to
    /// recognise those.
    pub async fn stream_event_for_all_items(&self) -> Value {
        let items = self.table_server.client().scan().table_name(TABLE).into_paginator().items().send();
        let items = items.collect::<Result<Vec<_>, _>>().await.expect("the table can be read");
        let text = |item: &HashMap<_, AttributeValue>, name: &str| {
            item.get(name)
                .and_then(|value| value.as_s().ok())
                .expect("every item has a key of two texts")
                .clone()
        };
        let records = items.iter().enumerate().map(|(index, item)| {
            let key = json!({"pk": {"S": text(item, "pk")}, "sk": {"S": text(item, "sk")}});
            stream_record("INSERT", &index.to_string(), &key)
        });
        stream_event(&records.collect::<Vec<_>>())
    }

    /// The stream event of all changes since the last call; `None` if none of them is of interest to `effects`.
    pub async fn take_changes(&self) -> Option<Value> {
        let (table, mut records) = (self.table_server.embedded(), Vec::new());
        while let Some(batch) = next_batch(&table, REGION).await.expect("the changes") {
            let event = batch.event().cloned().unwrap_or_default();
            records.extend(event["Records"].as_array().cloned().unwrap_or_default());
            remove(&table, &batch).await.expect("removed");
        }
        (!records.is_empty()).then(|| stream_event(&records))
    }

    /// Returns a token for a project and a role, valid for five minutes.
    pub fn token(project: &str, role: &str) -> String {
        let claims = json!({"project_id": project, "roles": [role], "iss": ISSUER, "aud": AUDIENCE});
        Self::token_with_claims(claims)
    }

    /// Returns a correctly signed token with these claims. Without an `exp`, it is valid for five minutes.
    pub fn token_with_claims(mut claims: Value) -> String {
        if claims.get("exp").is_none() {
            claims["exp"] = json!(Timestamp::now().unix_seconds() + 300);
        }
        let header = Header { kid: Some("test".to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(SECRET))
            .expect("the claims are JSON")
    }
}

/// The environment variables of a function, besides those of AWS.
pub fn function_settings() -> Vec<(&'static str, String)> {
    vec![
        ("IMAGESHARE_TABLE", TABLE.to_owned()),
        ("IMAGESHARE_JWKS", key_set()),
        ("IMAGESHARE_ISSUER", ISSUER.to_owned()),
        ("IMAGESHARE_AUDIENCE", AUDIENCE.to_owned()),
        ("IMAGESHARE_MASTER_KEYS", master_keys()),
        ("IMAGESHARE_LIMITS", "members-per-image=256,images-per-tenant=1000".to_owned()),
    ]
}

/// The master key, in base64, from which the secrets of access keys are derived.
pub fn master_key() -> String {
    STANDARD.encode(SECRET)
}

/// The master keys, as in `IMAGESHARE_MASTER_KEYS`.
pub fn master_keys() -> String {
    format!("test:{}", master_key())
}

/// An authenticator for these tokens and master keys, for functions in the test's own process.
pub fn authenticator() -> Authenticator {
    let (issuer, audience) = (Some(ISSUER.to_owned()), Some(AUDIENCE.to_owned()));
    let expected = ExpectedClaims { issuer, audience, ..ExpectedClaims::default() };
    let authenticator = Authenticator::from_jwks(&key_set(), expected).expect("a good key set");
    authenticator.with_master_keys(MasterKeys::parse(&master_keys()).expect("good master keys"))
}

/// The JSON Web Key Set that verifies these tokens.
pub fn key_set() -> String {
    let key = json!({"kty": "oct", "alg": "HS256", "kid": "test", "k": URL_SAFE_NO_PAD.encode(SECRET)});
    json!({"keys": [key]}).to_string()
}
