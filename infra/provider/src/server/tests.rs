//! What Terraform does only in some versions, or when something is wrong: called as Terraform calls it.

use std::sync::Arc;

use async_trait::async_trait;
use http_body_util::{BodyExt, Full};
use prost::Message;

use super::{Context, Create, DataSource, Delete, Provider, Read, Resource, Server, Update};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plugin::{Router, Service};
use crate::protocol::{
    ApplyResourceChangeRequest, ApplyResourceChangeResponse, ClientCapabilities, ConfigureProviderRequest,
    ConfigureProviderResponse, DeferredReason, DynamicValue, Empty, ImportResourceStateRequest,
    ImportResourceStateResponse, PlanResourceChangeRequest, PlanResourceChangeResponse, RawState,
    ReadDataSourceRequest, ReadDataSourceResponse, ReadResourceRequest, ReadResourceResponse,
    StopProviderResponse, UpgradeResourceIdentityRequest, UpgradeResourceIdentityResponse,
    ValidateConfigRequest, ValidateConfigResponse,
};
use crate::schema::{Attribute, Schema};
use crate::value::{Object, Type, Value, decode_msgpack, encode_msgpack};

struct Test;

struct Thing;

#[async_trait]
impl Provider for Test {
    type Client = ();

    fn address(&self) -> &'static str {
        "registry.terraform.io/imageshare/test"
    }

    fn schema(&self) -> Schema {
        Schema::new("A test.", [Attribute::string("endpoint", "An endpoint.")])
    }

    async fn configure(&self, config: &Object, _: &str, diagnostics: &mut Diagnostics) -> Option<()> {
        if config.str("endpoint") == Some("bad") {
            diagnostics.push(Diagnostic::error("Invalid endpoint", "It is bad.").at("endpoint"));
        }
        Some(())
    }

    fn resources(&self) -> Vec<Box<dyn Resource<()>>> {
        vec![Box::new(Thing)]
    }

    fn data_sources(&self) -> Vec<Box<dyn DataSource<()>>> {
        vec![Box::new(Thing)]
    }
}

fn schema() -> Schema {
    Schema::new(
        "A thing.",
        [
            Attribute::string("owner", "Its owner.").required().force_new(),
            Attribute::string("name", "Its name.").required().force_new(),
            Attribute::string("secret_wo", "A secret.").write_only(),
            Attribute::string("mode", "A mode.").default("soft"),
        ],
    )
}

#[async_trait]
impl Resource<()> for Thing {
    fn name(&self) -> &'static str {
        "test_thing"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn identity(&self) -> &'static [&'static str] {
        &["owner", "name"]
    }

    async fn create(&self, _: &mut Context<'_, ()>, create: &mut Create) -> Result<(), Diagnostic> {
        create.state = Some(create.plan.clone());
        Ok(())
    }

    async fn read(&self, context: &mut Context<'_, ()>, read: &mut Read) -> Result<(), Diagnostic> {
        match read.state.as_ref().and_then(|state| state.str("name")) {
            Some("gone") => read.state = None,
            Some("forbidden") => context.diagnostics.error("Forbidden", "Not yours."),
            _ => {}
        }
        Ok(())
    }

    async fn update(&self, _: &mut Context<'_, ()>, _: &mut Update) -> Result<(), Diagnostic> {
        Err(Diagnostic::error("Refused", "No."))
    }

    async fn delete(&self, context: &mut Context<'_, ()>, delete: &mut Delete) -> Result<(), Diagnostic> {
        if delete.state.str("name") == Some("used") {
            context.diagnostics.error("In use", "It stays.");
        }
        Ok(())
    }
}

#[async_trait]
impl DataSource<()> for Thing {
    fn name(&self) -> &'static str {
        "test_thing"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn read(&self, _: &mut Context<'_, ()>, config: &Object) -> Result<Object, Diagnostic> {
        Ok(config.clone())
    }
}

/// A provider that is configured with this endpoint.
async fn configured(endpoint: impl Into<Value>) -> Arc<Server<Test>> {
    let server = Arc::new(Server::new(Test));
    let ty = Test.schema().ty().clone();
    let config = Some(encoded(&Object::new().with("endpoint", endpoint).into(), &ty));
    let request = ConfigureProviderRequest { config, ..Default::default() };
    let _: ConfigureProviderResponse = call(&server, "ConfigureProvider", &request).await;
    server
}

/// Sends a message as gRPC does, and reads the response.
async fn call<A: Message + Default>(server: &Arc<Server<Test>>, method: &str, request: &impl Message) -> A {
    let (status, body) = send(Arc::clone(server), &format!("/tfplugin6.Provider/{method}"), request).await;
    assert_eq!(status, None, "{method}");
    A::decode(&body[5..]).unwrap()
}

/// The status of gRPC, if it is in the head of the response, and the body.
async fn send(service: impl Service, path: &str, request: &impl Message) -> (Option<String>, Vec<u8>) {
    let message = request.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = tonic::body::Body::new(Full::from([&[0], length.as_slice(), &message].concat()));
    let request = http::Request::post(path).header("content-type", "application/grpc").body(body).unwrap();
    let response = Router::new(vec![Arc::new(service)]).call(request).await;
    let status = response.headers().get("grpc-status").map(|status| status.to_str().unwrap().to_owned());
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

fn encoded(value: &Value, ty: &Type) -> DynamicValue {
    DynamicValue { msgpack: encode_msgpack(value, ty).unwrap(), json: Vec::new() }
}

fn thing(name: &str) -> Object {
    Object::new().with("owner", "own1").with("name", name).with("mode", "soft")
}

fn wire(object: &Object) -> DynamicValue {
    encoded(&object.clone().into(), schema().ty())
}

fn value(wire: Option<&DynamicValue>) -> Value {
    decode_msgpack(&wire.unwrap().msgpack, schema().ty()).unwrap()
}

const TYPE_NAME: &str = "test_thing";

#[test]
fn schemas_of_the_providers_are_good() {
    assert_eq!(schema().faults(), Vec::<String>::new());
    let provider = crate::Imageshare;
    let resources = provider.resources();
    let schemas = resources.iter().map(|resource| (resource.name(), resource.schema()));
    for (name, schema) in schemas.chain([("provider", provider.schema())]) {
        assert_eq!(schema.faults(), Vec::<String>::new(), "{name}");
    }
    for resource in &resources {
        let schema = resource.schema();
        for name in resource.identity() {
            let attribute = schema.attributes().iter().find(|attribute| attribute.name() == *name).unwrap();
            assert!([Type::String, Type::set(Type::String)].contains(&attribute.ty()), "{name}");
        }
    }
}

#[tokio::test]
async fn procedure_that_is_missing_is_unimplemented() {
    let server = configured("good").await;
    for path in ["/tfplugin6.Provider/ReadStateBytes", "/another.Service/GetMetadata", "/"] {
        let (status, _) = send(Arc::clone(&server), path, &Empty {}).await;
        assert_eq!(status.as_deref(), Some("12"), "{path}");
    }
}

#[tokio::test]
async fn work_is_deferred_while_the_configuration_is_unknown() {
    let server = configured(Value::unknown()).await;
    let allowed = Some(ClientCapabilities { deferral_allowed: true, write_only_attributes_allowed: true });
    let reason = Some(i32::from(DeferredReason::ProviderConfigUnknown));
    let (state, type_name) = (thing("a"), TYPE_NAME.to_owned());

    let read = ReadResourceRequest {
        type_name: type_name.clone(),
        current_state: Some(wire(&state)),
        client_capabilities: allowed.clone(),
        ..Default::default()
    };
    let response: ReadResourceResponse = call(&server, "ReadResource", &read).await;
    assert_eq!(response.deferred.map(|deferred| deferred.reason), reason);
    assert_eq!(value(response.new_state.as_ref()), state.clone().into());

    let plan = PlanResourceChangeRequest {
        type_name: type_name.clone(),
        proposed_new_state: Some(wire(&state)),
        config: Some(wire(&state)),
        client_capabilities: allowed.clone(),
        ..Default::default()
    };
    let response: PlanResourceChangeResponse = call(&server, "PlanResourceChange", &plan).await;
    assert_eq!(response.deferred.map(|deferred| deferred.reason), reason);
    assert_eq!(value(response.planned_state.as_ref()), state.clone().into());

    let import = ImportResourceStateRequest {
        type_name: type_name.clone(),
        id: "own1/a".to_owned(),
        client_capabilities: allowed.clone(),
        identity: None,
    };
    let response: ImportResourceStateResponse = call(&server, "ImportResourceState", &import).await;
    assert_eq!(response.deferred.map(|deferred| deferred.reason), reason);

    let data = ReadDataSourceRequest {
        type_name,
        config: Some(wire(&state)),
        client_capabilities: allowed,
        provider_meta: None,
    };
    let response: ReadDataSourceResponse = call(&server, "ReadDataSource", &data).await;
    assert_eq!(response.deferred.map(|deferred| deferred.reason), reason);
    // A Terraform that cannot wait gets an error, and no plan fails.
    let data = ReadDataSourceRequest { client_capabilities: None, ..data };
    let response: ReadDataSourceResponse = call(&server, "ReadDataSource", &data).await;
    assert_eq!((response.deferred, response.diagnostics.len()), (None, 1));
    let plan = PlanResourceChangeRequest { client_capabilities: None, ..plan };
    let response: PlanResourceChangeResponse = call(&server, "PlanResourceChange", &plan).await;
    assert_eq!((response.deferred, response.diagnostics.len()), (None, 0));
}

#[tokio::test]
async fn import_reads_what_its_id_names() {
    let server = configured("good").await;
    let import = async |id: &str| -> ImportResourceStateResponse {
        let request = ImportResourceStateRequest {
            type_name: TYPE_NAME.to_owned(),
            id: id.to_owned(),
            ..Default::default()
        };
        call(&server, "ImportResourceState", &request).await
    };
    let imported = import("own1/a/b").await.imported_resources.remove(0);
    assert_eq!(value(imported.state.as_ref()), thing("a/b").into());
    assert!(imported.identity.is_some());
    for (id, summary) in [
        ("own1", "The id of the import is not of the right form"),
        ("own1/gone", "What is to be imported does not exist"),
        ("own1/forbidden", "Forbidden"),
    ] {
        let response = import(id).await;
        assert_eq!((response.imported_resources.len(), response.diagnostics.len()), (0, 1), "{id}");
        assert_eq!(response.diagnostics[0].summary, summary);
    }
}

#[tokio::test]
async fn failed_change_leaves_the_state_as_it_was() {
    let server = configured("good").await;
    let apply = async |prior: &Object, plan: Option<&Object>| -> ApplyResourceChangeResponse {
        let request = ApplyResourceChangeRequest {
            type_name: TYPE_NAME.to_owned(),
            prior_state: Some(wire(prior)),
            planned_state: Some(plan.map_or_else(|| encoded(&Value::Null, schema().ty()), wire)),
            ..Default::default()
        };
        call(&server, "ApplyResourceChange", &request).await
    };
    let response = apply(&thing("used"), None).await;
    assert_eq!((value(response.new_state.as_ref()), response.diagnostics.len()), (thing("used").into(), 1));
    let response = apply(&thing("a"), Some(&thing("a").with("mode", "hard"))).await;
    assert_eq!((value(response.new_state.as_ref()), response.diagnostics.len()), (thing("a").into(), 1));
    let response = apply(&thing("a"), None).await;
    assert_eq!((value(response.new_state.as_ref()), response.diagnostics.len()), (Value::Null, 0));
    // A provider whose configuration was refused does nothing.
    let server = configured("bad").await;
    let request = ApplyResourceChangeRequest {
        type_name: TYPE_NAME.to_owned(),
        prior_state: Some(wire(&thing("a"))),
        planned_state: Some(encoded(&Value::Null, schema().ty())),
        ..Default::default()
    };
    let response: ApplyResourceChangeResponse = call(&server, "ApplyResourceChange", &request).await;
    assert_eq!(value(response.new_state.as_ref()), thing("a").into());
    assert_eq!(response.diagnostics[0].summary, "The provider is not configured");
}

#[tokio::test]
async fn refresh_that_fails_keeps_the_state() {
    let server = configured("good").await;
    let read = async |name: &str| -> ReadResourceResponse {
        let request = ReadResourceRequest {
            type_name: TYPE_NAME.to_owned(),
            current_state: Some(wire(&thing(name))),
            ..Default::default()
        };
        call(&server, "ReadResource", &request).await
    };
    let forbidden = read("forbidden").await;
    assert_eq!(value(forbidden.new_state.as_ref()), thing("forbidden").into());
    assert_eq!(forbidden.diagnostics.len(), 1);
    assert_eq!(value(read("gone").await.new_state.as_ref()), Value::Null);
}

#[tokio::test]
async fn secret_is_refused_where_it_would_be_stored() {
    let server = configured("good").await;
    let config = thing("a").with("secret_wo", "s");
    let mut request = ValidateConfigRequest {
        type_name: TYPE_NAME.to_owned(),
        config: Some(wire(&config)),
        client_capabilities: None,
    };
    let response: ValidateConfigResponse = call(&server, "ValidateResourceConfig", &request).await;
    assert_eq!(response.diagnostics[0].summary, "Terraform is too old");
    request.client_capabilities =
        Some(ClientCapabilities { deferral_allowed: false, write_only_attributes_allowed: true });
    let response: ValidateConfigResponse = call(&server, "ValidateResourceConfig", &request).await;
    assert_eq!(response.diagnostics, []);
}

#[tokio::test]
async fn stored_identity_is_read() {
    let server = configured("good").await;
    let json = br#"{"owner": "own1", "name": "a", "gone": 1}"#.to_vec();
    let raw_identity = Some(RawState { json, ..Default::default() });
    let request =
        UpgradeResourceIdentityRequest { type_name: TYPE_NAME.to_owned(), version: 0, raw_identity };
    let response: UpgradeResourceIdentityResponse = call(&server, "UpgradeResourceIdentity", &request).await;
    assert!(response.upgraded_identity.is_some(), "{:?}", response.diagnostics);
}

#[tokio::test]
async fn interrupt_ends_what_runs_and_nothing_later() {
    let server = configured("good").await;
    let running = server.operations();
    let _: StopProviderResponse = call(&server, "StopProvider", &Empty {}).await;
    assert!(running.is_cancelled() && !server.operations().is_cancelled());
    server.stop_token().cancel();
    assert!(server.operations().is_cancelled());
}
