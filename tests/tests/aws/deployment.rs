//! A deployment from its first apply to its end.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use imageshare::store::table_definition;
use imageshare_routes::Document;
use imageshare_tests::aws::{
    ApiAddress, Emulator, REGION, SetupError, Terraform, available, package_functions,
};
use imageshare_tests::deployment::{AUDIENCE, ISSUER, TABLE, key_set, master_key};
use imageshare_tests::notice::print_notice;
use imageshare_tests::python::{self, CLIENT_TIMEOUT, Release};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::join;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::ami_life::ami_is_shared_from_available_to_deregistered;
use super::client::{Client, JOB_TIMEOUT, token};
use super::console::pages_share_accept_and_end_their_session;
use super::terraform_provider::provider_applies_plans_and_destroys;
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
async fn deployment_serves_real_clients_from_apply_to_destroy() {
    let mut stages = Stages::default();
    let Some(world) = available(stages.run("preparation", prepare()).await) else { return };
    let world = &world;
    stages.run("apply", apply(world)).await;
    stages.run("second plan", second_plan_changes_nothing(world)).await;
    stages.run("table", table_is_the_one_that_the_store_defines(world)).await;
    // No client of a journey waits for the stream, so that the sweep's minutes pass beside them.
    let sweep = schedule_sweeps_what_the_stream_missed(world);
    stages.run("journeys and sweep", async { join!(real_clients_make_their_journeys(world), sweep) }).await;
    let url = world.address.url();
    let life = ami_is_shared_from_available_to_deregistered(&world.emulator, &url);
    stages.run("life of an AMI", life).await;
    stages.run("Terraform provider", provider_applies_plans_and_destroys(&url)).await;
    stages.run("console", pages_share_accept_and_end_their_session(&url)).await;
    stages.run("ten thousand pairs", stream_carries_ten_thousand_pairs(world)).await;
    stages.run("an action less", role_with_an_action_less_cannot_share(world)).await;
    stages.run("upgrade", upgrade_under_load_loses_nothing(world)).await;
    stages.run("destroy", destroy_leaves_nothing(world)).await;
    print_notice(&stages);
}

/// How long each part took, for those who ask where the minutes are.
#[derive(Default)]
struct Stages(Vec<(&'static str, Duration)>);

impl Stages {
    async fn run<T>(&mut self, name: &'static str, stage: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let result = stage.await;
        println!("{name}: {:?}", start.elapsed());
        self.0.push((name, start.elapsed()));
        result
    }
}

impl Display for Stages {
    fn fmt(&self, text: &mut Formatter<'_>) -> fmt::Result {
        let total: Duration = self.0.iter().map(|(_, duration)| duration).sum();
        write!(text, "the emulated deployment took {:.0} s", total.as_secs_f64())?;
        self.0.iter().try_for_each(|(name, duration)| write!(text, ", {name} {:.0}", duration.as_secs_f64()))
    }
}

async fn prepare() -> Result<World, SetupError> {
    let packages = TempDir::new().unwrap();
    let (emulator, result) = join!(Emulator::start(tests(), target()), package(&packages, "1"));
    let emulator = emulator?;
    result?;
    let address = ApiAddress::start(emulator.url()).await;
    let environment = variables(&emulator, &address, &packages);
    let terraform = Terraform::init(workspace(), "tests/aws", environment).await?;
    Ok(World { emulator, address, terraform, packages })
}

async fn package(folder: &TempDir, version: &'static str) -> Result<(), SetupError> {
    let folder = folder.path().to_owned();
    tokio::task::spawn_blocking(move || package_functions(&functions(), version, &folder)).await.unwrap()
}

async fn apply(world: &World) {
    world.terraform.apply().await;
    world.address.serve(world.terraform.outputs().await["api_id"]["value"].as_str().unwrap());
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
    let images = stream::iter(0..100).map(|_| owner.register_image()).buffer_unordered(4).collect::<Vec<_>>();
    let images = images.await;
    let job = owner.finish(&owner.share(&images, &projects("guest", 100)).await).await;
    assert_eq!(
        (&job["status"], &job["entities"]["process_percent"]),
        (&json!("SUCCESS"), &json!(100)),
        "{job}"
    );
    for image in [&images[0], &images[99]] {
        assert_eq!(owner.members(image).await.len(), 100);
    }
}

/// The ids of that many projects.
fn projects(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

async fn schedule_sweeps_what_the_stream_missed(world: &World) {
    let mappings = world.emulator.call("lambda", "list_event_source_mappings", &json!({})).await;
    let mappings = mappings["EventSourceMappings"].as_array().unwrap();
    let of_worker = |mapping: &&Value| mapping["FunctionArn"].as_str().unwrap().ends_with("job-worker");
    let mapping = mappings.iter().find(of_worker).unwrap()["UUID"].clone();
    let enable = async |is_enabled: bool| {
        let arguments = json!({"UUID": mapping, "Enabled": is_enabled});
        world.emulator.call("lambda", "update_event_source_mapping", &arguments).await;
    };
    enable(false).await;
    let owner = Client::new(&world.address.url(), "swept");
    let image = owner.register_image().await;
    let job = owner.finish(&owner.share(&[image], &projects("guest", 100)).await).await;
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
    let mut less = document.clone();
    less["Statement"]
        .as_array_mut()
        .unwrap()
        .retain(|statement| statement["Action"][0] != "dynamodb:PutItem");
    assert_ne!(less, document, "share may not put items");
    let put = async |document: &str| {
        let arguments = json!({"RoleName": role, "PolicyName": "function", "PolicyDocument": document});
        world.emulator.call("iam", "put_role_policy", &arguments).await;
    };
    put(&less.to_string()).await;
    let body = json!({"images": [image], "projects": ["guest"]});
    let (status, refused) = owner.call(Method::POST, "/v1/cloudimages/members", Some(&body)).await;
    assert!(status.is_server_error(), "{status} {refused}");
    put(&document.to_string()).await;
    let job = owner.finish(&owner.share(&[image], &["guest".to_owned()]).await).await;
    assert_eq!(job["status"], "SUCCESS", "{job}");
}

/// Deploys new packages over the same table, while owners share and recipients accept.
async fn upgrade_under_load_loses_nothing(world: &World) {
    let load = Arc::new(Load::default());
    let owners = ["load-1", "load-2", "load-3"].map(|project| {
        let (url, load) = (world.address.url(), Arc::clone(&load));
        tokio::spawn(async move { share_and_accept(&url, project, &load).await })
    });
    assert!(available(package(&world.packages, "2").await).is_some());
    load.wait_for_rounds(&owners, 1).await;
    world.terraform.apply().await;
    // What comes now is served by the new code.
    load.wait_for_rounds(&owners, 2).await;
    load.stop.store(true, Ordering::Relaxed);
    for owner in owners {
        owner.await.unwrap();
    }
    for function in functions() {
        let arguments = json!({"FunctionName": format!("imageshare-{function}")});
        let found = world.emulator.call("lambda", "get_function_configuration", &arguments).await;
        assert_eq!(found["CodeSha256"], sha256_of(world, &function).as_str(), "{function}");
    }
}

/// What the clients of an upgrade have done, and whether they are to stop.
#[derive(Default)]
struct Load {
    rounds: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    /// Waits until the owners have done that many more rounds each, on average.
    ///
    /// # Panics
    /// One of them has failed.
    async fn wait_for_rounds(&self, owners: &[JoinHandle<()>], count: usize) {
        let end = self.rounds.load(Ordering::Relaxed) + count * owners.len();
        let reached = async {
            while self.rounds.load(Ordering::Relaxed) < end {
                assert!(!owners.iter().any(JoinHandle::is_finished), "a client's call has failed");
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(JOB_TIMEOUT, reached).await.expect("clients go on");
    }
}

/// Shares images one after the other until the load is to stop: each with 60 projects, in one call, of which one accepts, and with
/// 100 in a job that the stream carries. No call may fail, and at the end each image has its members as they were left.
async fn share_and_accept(url: &str, project: &str, load: &Load) {
    let owner = Client::new(url, project);
    let (mut images, mut jobs) = (Vec::new(), Vec::new());
    while !load.stop.load(Ordering::Relaxed) {
        // A project may have about 100 images of one owner pending.
        let guests = projects(&format!("guest-{}", images.len() / 50), 100);
        let image = owner.register_image().await;
        let job = owner.finish(&owner.share(slice::from_ref(&image), &guests[..60]).await).await;
        assert_eq!(job["status"], "SUCCESS", "{job}");
        Client::new(url, &guests[0]).accept(&image).await;
        jobs.push(owner.share(slice::from_ref(&image), &guests).await);
        images.push((image, guests[0].clone()));
        load.rounds.fetch_add(1, Ordering::Relaxed);
    }
    for job in &jobs {
        let job = owner.finish(job).await;
        assert_eq!(job["status"], "SUCCESS", "{job}");
    }
    for (image, accepted_by) in &images {
        let members = owner.members(image).await;
        assert_eq!(members.len(), 100, "{image}");
        for member in members {
            let expected = if member["member_id"] == accepted_by.as_str() { "accepted" } else { "pending" };
            assert_eq!(member["status"], expected, "{image}: {member}");
        }
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
        ("apigatewayv2", "get_domain_names", "Items"),
        ("cloudwatch", "describe_alarms", "MetricAlarms"),
        ("cloudwatch", "list_dashboards", "DashboardEntries"),
        ("dynamodb", "list_tables", "TableNames"),
        ("events", "list_rules", "Rules"),
        ("iam", "list_roles", "Roles"),
        ("kms", "list_keys", "Keys"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings"),
        ("lambda", "list_functions", "Functions"),
        ("logs", "describe_log_groups", "logGroups"),
        ("scheduler", "list_schedules", "Schedules"),
        ("secretsmanager", "list_secrets", "SecretList"),
        ("sns", "list_topics", "Topics"),
        ("sqs", "list_queues", "QueueUrls"),
        ("ssm", "describe_parameters", "Parameters"),
    ] {
        let found = world.emulator.call(service, operation, &json!({})).await;
        let left = found[list].as_array().is_none_or(Vec::is_empty);
        assert!(left, "{service} still has {}", found[list]);
    }
}
