//! A deployment from its first apply to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use imageshare::store::table_definition;
use imageshare_routes::Document;
use imageshare_tests::aws::{ApiAddress, Emulator, REGION, Terraform, available, package_functions};
use imageshare_tests::deployment::{AUDIENCE, ISSUER, TABLE, key_set, master_key};
use imageshare_tests::python::{self, CLIENT_TIMEOUT, Release};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::client::{Client, token};
use super::{target, tests, workspace};

/// Attributes that the emulator does not store, by resource, so that every plan changes them.
const FORGOTTEN: [(&str, &str); 4] = [
    ("module.imageshare.aws_cloudwatch_metric_alarm.this[", " actions_enabled"),
    ("module.imageshare.aws_cloudwatch_metric_alarm.this[", " alarm_description"),
    ("module.imageshare.aws_cloudwatch_metric_alarm.this[", " treat_missing_data"),
    ("module.imageshare.aws_dynamodb_table.this", " point_in_time_recovery"),
];

/// The functions that are deployed.
fn functions() -> Vec<String> {
    let document = Document::load().expect("infra/openapi.yaml is an API document");
    document.functions().into_iter().map(str::to_owned).collect()
}

/// A deployment.
struct World {
    emulator: Emulator,
    address: ApiAddress,
    terraform: Terraform,
    packages: TempDir,
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes 5 to 13 minutes: cargo test -p imageshare-tests --test aws -- --ignored"]
async fn deployment_serves_real_clients_from_apply_to_destroy() {
    let Some(emulator) = available(Emulator::start(tests(), target()).await) else { return };
    let address = ApiAddress::start(emulator.url()).await;
    let packages = TempDir::new().unwrap();
    if available(package(&packages, "1").await).is_none() {
        return;
    }
    let environment = variables(&emulator, &address, &packages);
    let Some(terraform) = available(Terraform::init(workspace(), "tests/aws", environment).await) else {
        return;
    };
    let world = World { emulator, address, terraform, packages };

    world.terraform.apply().await;
    world.address.serve(world.terraform.outputs().await["api_id"]["value"].as_str().unwrap());

    second_plan_changes_nothing(&world).await;
    table_is_the_one_that_the_store_defines(&world).await;
    real_clients_make_their_journeys(&world).await;
    stream_carries_ten_thousand_pairs(&world).await;
    schedule_sweeps_what_the_stream_missed(&world).await;
    role_with_an_action_less_cannot_share(&world).await;
    upgrade_under_load_loses_nothing(&world).await;
    destroy_leaves_nothing(&world).await;
}

async fn package(folder: &TempDir, version: &'static str) -> Result<(), imageshare_tests::aws::SetupError> {
    let folder = folder.path().to_owned();
    tokio::task::spawn_blocking(move || package_functions(&functions(), version, &folder)).await.unwrap()
}

/// The environment of Terraform: the emulator's, and the variables of the deployment.
fn variables(emulator: &Emulator, address: &ApiAddress, packages: &TempDir) -> Vec<(&'static str, String)> {
    let mut environment = emulator.environment();
    environment.extend([
        ("TF_VAR_packages", packages.path().to_str().unwrap().to_owned()),
        ("TF_VAR_tokens", json!({"jwks": key_set(), "issuer": ISSUER, "audience": AUDIENCE}).to_string()),
        ("TF_VAR_master_keys", json!([{"id": "test", "key": master_key()}]).to_string()),
        ("TF_VAR_public_url", address.url()),
    ]);
    environment
}

async fn second_plan_changes_nothing(world: &World) {
    let mut changes = world.terraform.planned_changes().await;
    changes.retain(|change| {
        !FORGOTTEN
            .iter()
            .any(|(resource, attribute)| change.starts_with(resource) && change.ends_with(attribute))
    });
    assert_eq!(changes, [""; 0], "a second apply would change something");
}

async fn table_is_the_one_that_the_store_defines(world: &World) {
    let found = world.emulator.call("dynamodb", "describe_table", &json!({"TableName": TABLE})).await;
    let expected = table_definition(TABLE);
    let by_name = |list: &Value, name: &str| -> BTreeMap<String, Value> {
        let items = list.as_array().into_iter().flatten();
        items.map(|item| (item[name].as_str().unwrap().to_owned(), item.clone())).collect()
    };
    let found = &found["Table"];
    assert_eq!(found["KeySchema"], expected["KeySchema"]);
    let attributes = "AttributeDefinitions";
    assert_eq!(by_name(&found[attributes], "AttributeName"), by_name(&expected[attributes], "AttributeName"));
    let indexes = |table: &Value| -> BTreeMap<String, (Value, Value)> {
        let indexes = by_name(&table["GlobalSecondaryIndexes"], "IndexName").into_iter();
        indexes
            .map(|(name, index)| (name, (index["KeySchema"].clone(), index["Projection"].clone())))
            .collect()
    };
    assert_eq!(indexes(found), indexes(&expected));
    let expiry = world.emulator.call("dynamodb", "describe_time_to_live", &json!({"TableName": TABLE})).await;
    assert_eq!(expiry["TimeToLiveDescription"]["AttributeName"], "ttl");
}

async fn real_clients_make_their_journeys(world: &World) {
    let Some(python) = python::client_python(tests(), target(), Release::Newest).await else { return };
    for script in
        ["huawei_ims.py", "openstack_sdk.py", "glance_client.py", "openstack_command.py", "alibaba.py"]
    {
        let mut command = Command::new(&python);
        command
            .arg(tests().join("clients").join(script))
            .env("IMAGESHARE_URL", world.address.url())
            .env("IMAGESHARE_REGION", REGION)
            .env("PYTHONWARNINGS", "ignore")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_PROXY", "127.0.0.1")
            .kill_on_drop(true);
        for (project, role) in [("own1", "member"), ("mem1", "member"), ("str1", "member"), ("ops", "admin")]
        {
            command.env(format!("IMAGESHARE_TOKEN_{}", project.to_uppercase()), token(project, role));
        }
        let ended = tokio::time::timeout(CLIENT_TIMEOUT, command.output()).await.expect("in time").unwrap();
        assert!(
            ended.status.success(),
            "{script}: {}\n{}{}\nthe emulator's log:\n{}",
            ended.status,
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr),
            world.emulator.log()
        );
    }
}

async fn stream_carries_ten_thousand_pairs(world: &World) {
    let owner = Client::new(&world.address.url(), "ten-thousand");
    let mut images = Vec::new();
    for _ in 0..100 {
        images.push(owner.register_image().await);
    }
    let projects: Vec<_> = (0..100).map(|number| format!("project-{number}")).collect();
    let job = owner.finish(&owner.share(&images, &projects).await).await;
    assert_eq!(
        (&job["status"], &job["entities"]["process_percent"]),
        (&json!("SUCCESS"), &json!(100)),
        "{job}"
    );
    for image in [&images[0], &images[99]] {
        let (status, members) = owner.call(Method::GET, &format!("/v2/images/{image}/members"), None).await;
        assert_eq!((status, members["members"].as_array().unwrap().len()), (StatusCode::OK, 100));
    }
}

async fn schedule_sweeps_what_the_stream_missed(world: &World) {
    let mappings = world.emulator.call("lambda", "list_event_source_mappings", &json!({})).await;
    let mapping = mappings["EventSourceMappings"][0]["UUID"].clone();
    let enable = async |is_enabled: bool| {
        let arguments = json!({"UUID": mapping, "Enabled": is_enabled});
        world.emulator.call("lambda", "update_event_source_mapping", &arguments).await;
    };
    enable(false).await;
    let owner = Client::new(&world.address.url(), "swept");
    let image = owner.register_image().await;
    let projects: Vec<_> = (0..100).map(|number| format!("project-{number}")).collect();
    let job = owner.finish(&owner.share(&[image], &projects).await).await;
    assert_eq!(job["status"], "SUCCESS", "{job}");
    enable(true).await;
}

/// The role of `share` loses one of its actions.
async fn role_with_an_action_less_cannot_share(world: &World) {
    let owner = Client::new(&world.address.url(), "less");
    let image = owner.register_image().await;
    let role = world.terraform.outputs().await["functions"]["value"]["share"]["role_name"].clone();
    let name = json!({"RoleName": role, "PolicyName": "function"});
    let found = world.emulator.call("iam", "get_role_policy", &name).await;
    let document = &found["PolicyDocument"];
    let document =
        document.as_str().map_or_else(|| document.clone(), |text| serde_json::from_str(text).unwrap());
    let less = document.to_string().replace("\"dynamodb:PutItem\",", "");
    assert_ne!(less, document.to_string(), "share may not put items");
    let put = async |document: &str| {
        let arguments = json!({"RoleName": role, "PolicyName": "function", "PolicyDocument": document});
        world.emulator.call("iam", "put_role_policy", &arguments).await;
    };
    put(&less).await;
    let body = json!({"images": [image], "projects": ["guest"]});
    let (status, refused) = owner.call(Method::POST, "/v1/cloudimages/members", Some(&body)).await;
    assert!(status.is_server_error(), "{status} {refused}");
    put(&document.to_string()).await;
    let job = owner.finish(&owner.share(&[image], &["guest".to_owned()]).await).await;
    assert_eq!(job["status"], "SUCCESS", "{job}");
}

/// Deploys new packages over the same table, while clients share.
async fn upgrade_under_load_loses_nothing(world: &World) {
    let stop = Arc::new(AtomicBool::new(false));
    let clients = ["load-1", "load-2", "load-3"].map(|project| {
        let (client, stop) = (Client::new(&world.address.url(), project), Arc::clone(&stop));
        tokio::spawn(async move {
            let image = client.register_image().await;
            let projects: Vec<_> = (0..60).map(|number| format!("project-{number}")).collect();
            let mut jobs = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                jobs.push(client.share(std::slice::from_ref(&image), &projects).await);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            for job in &jobs {
                let ended = client.finish(job).await;
                assert_eq!(ended["status"], "SUCCESS", "{ended}");
            }
            let (_, members) = client.call(Method::GET, &format!("/v2/images/{image}/members"), None).await;
            assert_eq!(members["members"].as_array().unwrap().len(), 60);
            jobs.len()
        })
    });
    assert!(available(package(&world.packages, "2").await).is_some());
    world.terraform.apply().await;
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0, "nothing was shared during the upgrade");
    }
    for function in functions() {
        let arguments = json!({"FunctionName": format!("imageshare-{function}")});
        let found = world.emulator.call("lambda", "get_function_configuration", &arguments).await;
        assert_eq!(found["CodeSha256"], sha256_of(world, &function).as_str(), "{function}");
    }
}

/// The hash of a package, as Lambda returns it.
fn sha256_of(world: &World, function: &str) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};
    STANDARD
        .encode(Sha256::digest(std::fs::read(world.packages.path().join(format!("{function}.zip"))).unwrap()))
}

async fn destroy_leaves_nothing(world: &World) {
    world.terraform.destroy().await;
    for (service, operation, list) in [
        ("apigatewayv2", "get_apis", "Items"),
        ("cloudwatch", "describe_alarms", "MetricAlarms"),
        ("cloudwatch", "list_dashboards", "DashboardEntries"),
        ("dynamodb", "list_tables", "TableNames"),
        ("events", "list_rules", "Rules"),
        ("iam", "list_roles", "Roles"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings"),
        ("lambda", "list_functions", "Functions"),
        ("logs", "describe_log_groups", "logGroups"),
        ("sqs", "list_queues", "QueueUrls"),
    ] {
        let found = world.emulator.call(service, operation, &json!({})).await;
        let left = found[list].as_array().is_none_or(Vec::is_empty);
        assert!(left, "{service} still has {}", found[list]);
    }
}
