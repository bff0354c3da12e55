//! Tables whose contents stay as they are, so that what comes of an input does not depend on those before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::{HttpRequest, HttpResponse};
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{HttpClient, RuntimeComponents, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_types::body::SdkBody;

/// The writes that a table has acknowledged.
#[derive(Debug, Clone, Default)]
pub struct Writes(Arc<AtomicU64>);

impl Writes {
    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same table, of which what is read is answered and what is written is acknowledged and forgotten.
pub fn forgetful(client: &Client, writes: Writes) -> Client {
    let below = client.config().http_client().expect("a client has one below it");
    through(client, move |settings, components| {
        let (below, writes) = (below.http_connector(settings, components), writes.clone());
        SharedHttpConnector::new(Forgetful { below, writes })
    })
}

/// A table that is never available.
pub fn unavailable(client: &Client) -> Client {
    through(client, |_, _| SharedHttpConnector::new(Unavailable))
}

fn through<F>(client: &Client, connector: F) -> Client
where
    F: Fn(&HttpConnectorSettings, &RuntimeComponents) -> SharedHttpConnector + Send + Sync + 'static,
{
    let config = client.config().to_builder().http_client(SharedHttpClient::new(Through(Arc::new(connector))));
    // Whoever is told that there is nothing need not ask again.
    Client::from_conf(config.retry_config(RetryConfig::disabled()).build())
}

type Connect = dyn Fn(&HttpConnectorSettings, &RuntimeComponents) -> SharedHttpConnector + Send + Sync;

#[derive(Clone)]
struct Through(Arc<Connect>);

impl std::fmt::Debug for Through {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Through")
    }
}

impl HttpClient for Through {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        (self.0)(settings, components)
    }
}

#[derive(Debug, Clone)]
struct Forgetful {
    below: SharedHttpConnector,
    writes: Writes,
}

impl HttpConnector for Forgetful {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        if ["BatchGetItem", "GetItem", "Query"].contains(&operation) {
            return self.below.call(request);
        }
        self.writes.0.fetch_add(1, Ordering::Relaxed);
        HttpConnectorFuture::ready(Ok(answer(200, "{}")))
    }
}

#[derive(Debug)]
struct Unavailable;

impl HttpConnector for Unavailable {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok(answer(503, r#"{"__type":"ServiceUnavailable"}"#)))
    }
}

fn answer(status: u16, json: &'static str) -> HttpResponse {
    HttpResponse::new(status.try_into().expect("a status"), SdkBody::from(json))
}
