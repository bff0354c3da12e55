//! What a call costs besides capacity: processor time, calls to the table, and the bytes that it logs and returns. Measured at the
//! functions' binaries and kept in `infra/aws/cost/measured.json`, from which `cargo task cost` computes prices.
//!
//! One test makes each call twice and compares with that file what does not depend on the machine. Another, which is run on request,
//! writes the file. The processor time in it is that of the binaries in the folder `IMAGESHARE_FUNCTIONS`, such as those of the
//! profile `deploy`, since the ones of the tests are not optimised.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use imageshare::domain::{ImageId, Status, TenantId, Timestamp, Visibility};
use imageshare::store::OPEN_SHARDS;
use imageshare::usecases::{self, NewImage};
use imageshare_local::effects::{next_batch, remove};
use imageshare_tests::binaries::binary;
use imageshare_tests::budget::typical_details;
use imageshare_tests::bus_server::BusServer;
use imageshare_tests::deployment::{AUDIENCE, Deployment, ISSUER};
use imageshare_tests::events::{self, HttpEvent};
use imageshare_tests::lambda_process::LambdaProcess;
use imageshare_tests::local_service::{caller, tenant};
use imageshare_tests::table_server::REGION;
use serde_json::{Value, json};

/// The projects of the measurement, as long as those of OpenStack.
const OWNER: &str = "0af1c0de0af1c0de0af1c0de0af1c0de";
const RECIPIENT: &str = "4ec1c0de4ec1c0de4ec1c0de4ec1c0de";

const MEMBERS: &str = "/v1/cloudimages/members";

/// The call whose calls to the table vary.
const WORK_ITEM: &str = "… one of its 50 work items of 200 pairs";

/// How many times each call is made for the file, besides a first time that is not counted.
const REPETITIONS: usize = 20;

/// By how many bytes a log line may exceed that of the file: numbers differ in their digits.
const LOG_TOLERANCE: u64 = 24;

/// What one call took, on average.
#[derive(Debug, Clone, PartialEq)]
struct Measurement {
    function: &'static str,
    /// The request's route, path and response status; none for an event that is no request.
    request: Option<(String, String, u64)>,
    processor_time: Duration,
    /// Reads, single writes and transactions.
    table_calls: [u64; 3],
    /// Calls to the bus, and the events in them.
    bus: [u64; 2],
    log_bytes: u64,
    response_bytes: u64,
}

impl Measurement {
    fn to_json(&self) -> Value {
        let [reads, writes, transactions] = self.table_calls;
        let [publishes, events] = self.bus;
        let mut fields = json!({
            "function": self.function,
            "processor_us": u64::try_from(self.processor_time.as_micros()).unwrap(),
            "reads": reads,
            "writes": writes,
            "transactions": transactions,
            "publishes": publishes,
            "events": events,
            "log_bytes": self.log_bytes,
            "response_bytes": self.response_bytes,
        });
        if let Some((route, path, status)) = &self.request {
            fields["route"] = route.as_str().into();
            fields["path"] = path.as_str().into();
            fields["status"] = (*status).into();
        }
        fields
    }
}

/// The functions of a deployment, and what was measured of them.
struct World {
    deployment: Deployment,
    bus: BusServer,
    functions: BTreeMap<&'static str, LambdaProcess>,
    measured: BTreeMap<&'static str, Measurement>,
    /// How many times each call is made, the first time included.
    runs: usize,
    /// The folder of the functions' binaries, if they are not those of the tests.
    binaries: Option<PathBuf>,
}

/// A request of a project: its function, its method and route, and its path.
struct Request<'a> {
    function: &'static str,
    project: &'a str,
    route: &'a str,
    path: String,
    body: Option<Value>,
}

impl World {
    async fn start(repetitions: usize, binaries: Option<PathBuf>) -> Self {
        let (deployment, bus) = (Deployment::start().await, BusServer::start().await);
        let (functions, measured) = (BTreeMap::new(), BTreeMap::new());
        Self { deployment, bus, functions, measured, runs: repetitions + 1, binaries }
    }

    /// Registers an image of typical size for the owner.
    async fn image(&self) -> ImageId {
        self.image_of(OWNER).await
    }

    /// Registers an image of typical size.
    async fn image_of(&self, owner: &str) -> ImageId {
        let new =
            NewImage { id: None, owner: None, visibility: Visibility::Shared, details: typical_details() };
        let service = self.deployment.service();
        usecases::register_image(service, &caller(owner), new, None).await.expect("an image").id
    }

    /// Shares images with tenants in as many jobs as there are images, each of which is executed at once.
    async fn share(&self, images: &[ImageId], tenants: &[TenantId]) {
        for image in images {
            let (image, tenants) = (vec![image.clone()], tenants.to_vec());
            usecases::share(self.deployment.service(), &caller(OWNER), image, tenants, None)
                .await
                .expect("a job");
        }
    }

    /// An image that is shared with the recipient.
    async fn pending_image(&self) -> ImageId {
        let image = self.image().await;
        self.share(std::slice::from_ref(&image), &[tenant(RECIPIENT)]).await;
        image
    }

    /// The stream event of all changes since the last call, if one of them is of interest to `effects`.
    async fn changes(&self) -> Option<Value> {
        let (table, mut records) = (self.deployment.table_server().embedded(), Vec::new());
        while let Some(batch) = next_batch(&table, REGION).await.expect("the changes") {
            let event = batch.event().cloned().unwrap_or_default();
            records.extend(event["Records"].as_array().cloned().unwrap_or_default());
            remove(&table, &batch).await.expect("removed");
        }
        (!records.is_empty()).then(|| events::stream_event(&records))
    }

    async fn function(&mut self, name: &'static str) -> &mut LambdaProcess {
        if !self.functions.contains_key(name) {
            let mut env = self.deployment.env();
            // As the module sets them by default.
            env.push(("RUST_LOG", "info".to_owned()));
            env.push(("IMAGESHARE_METRICS_NAMESPACE", "imageshare".to_owned()));
            env.push(("IMAGESHARE_EVENT_BUS", "imageshare".to_owned()));
            env.push(("AWS_ENDPOINT_URL_EVENTBRIDGE", self.bus.endpoint()));
            let path = self.binaries.as_ref().map_or_else(|| binary(name), |folder| folder.join(name));
            let function = LambdaProcess::start(&path, env).await;
            self.functions.insert(name, function.unwrap_or_else(|problem| panic!("{name} {problem}")));
        }
        self.functions.get_mut(name).unwrap()
    }

    /// Makes a call that changes nothing as often as is wanted.
    async fn measure_request(&mut self, call: &'static str, request: Request<'_>) {
        let requests = (0..self.runs).map(|_| Request {
            path: request.path.clone(),
            body: request.body.clone(),
            ..request
        });
        let requests = requests.collect();
        self.measure_requests(call, requests).await;
    }

    /// Makes each request, and records what they took without the first. Returns the last response's body.
    async fn measure_requests(&mut self, call: &'static str, requests: Vec<Request<'_>>) -> Value {
        let of_request = requests.last().map(|request| {
            let path = request.path.split('?').next().unwrap().to_owned();
            (request.function, request.route.to_owned(), path)
        });
        let (function, route, path) = of_request.expect("a request");
        let responses = self.measure_events(call, function, requests.iter().map(http_event).collect()).await;
        let last = responses.last().unwrap();
        let measured = self.measured.get_mut(call).unwrap();
        measured.request = Some((route, path, last["statusCode"].as_u64().unwrap()));
        assert!(last["statusCode"].as_u64().unwrap() < 300, "{call}: {last}");
        serde_json::from_str(last["body"].as_str().unwrap_or_default()).unwrap_or_default()
    }

    async fn measure_events(
        &mut self,
        call: &'static str,
        name: &'static str,
        events: Vec<Value>,
    ) -> Vec<Value> {
        let (first, events) = events.split_first().expect("an event that is not counted");
        self.function(name).await.invoke(first).await.unwrap();
        let (calls_before, bus_before) = (self.deployment.table_server().calls(), self.bus.counts());
        let function = self.function(name).await;
        let (log, time) = (function.log().len(), function.processor_time());
        let mut responses = Vec::new();
        for event in events {
            responses.push(function.invoke(event).await.unwrap());
        }
        let (time, logged) =
            (function.processor_time().saturating_sub(time), function.log()[log..].replace('\n', ""));
        let calls = self.deployment.table_server().calls();
        let count = u64::try_from(events.len()).unwrap();
        let average = |total: u64| total.div_ceil(count);
        let calls = [
            calls.reads - calls_before.reads,
            calls.writes - calls_before.writes,
            calls.transactions - calls_before.transactions,
        ];
        let bus = self.bus.counts();
        let bus = [bus[0] - bus_before[0], bus[1] - bus_before[1]];
        let measured = Measurement {
            function: name,
            request: None,
            processor_time: time / u32::try_from(count).unwrap(),
            table_calls: calls.map(average),
            bus: bus.map(average),
            log_bytes: average(logged.len() as u64),
            response_bytes: average(responses.iter().map(response_bytes).sum()),
        };
        assert!(self.measured.insert(call, measured).is_none(), "{call} is measured twice");
        responses
    }
}

fn token(project: &str) -> String {
    let expires = Timestamp::now().unix_seconds() + 3600;
    let user = "05e1c0de05e1c0de05e1c0de05e1c0de";
    Deployment::token_with_claims(
        json!({"project_id": project, "sub": user, "roles": ["member"], "iss": ISSUER, "aud": AUDIENCE, "exp": expires}),
    )
}

fn http_event(request: &Request<'_>) -> Value {
    let event = HttpEvent::new(request.route, &request.path).token(&token(request.project));
    request.body.as_ref().map_or_else(|| event.clone(), |body| event.clone().json(body)).build()
}

/// The bytes of a response in API Gateway's form: its headers, each with a separator and an end of line, and its body.
fn response_bytes(response: &Value) -> u64 {
    let headers = response["headers"].as_object().into_iter().flatten();
    let headers = headers.map(|(name, value)| name.len() + value.as_str().unwrap_or_default().len() + 4);
    (headers.sum::<usize>() + response["body"].as_str().unwrap_or_default().len()) as u64
}

/// A tenant of the measurement, by number.
fn numbered(number: usize) -> TenantId {
    tenant(&format!("{number:032x}"))
}

/// A request to share one image, by its owner.
fn share(image: &ImageId, tenants: &[TenantId]) -> Request<'static> {
    let projects: Vec<_> = tenants.iter().map(TenantId::as_str).collect();
    let body = json!({"images": [image.as_str()], "projects": projects});
    let route = "POST /v1/cloudimages/members";
    Request { function: "share", project: OWNER, route, path: MEMBERS.to_owned(), body: Some(body) }
}

/// IMS's calls on one pair, and the job's.
async fn measure_ims(world: &mut World) {
    let mut next = 1_000;
    for (first, later, recipients) in [
        ("share 1 image with 1 project", "share 1 image with 1 project that received before", 1),
        ("share 1 image with 5 projects", "share 1 image with 5 projects that received before", 5),
    ] {
        let mut requests = Vec::new();
        for _ in 0..world.runs {
            let tenants: Vec<_> = (next..next + recipients).map(numbered).collect();
            next += recipients;
            requests.push(share(&world.image().await, &tenants));
        }
        world.measure_requests(first, requests).await;
        let tenants: Vec<_> = (next - recipients..next).map(numbered).collect();
        let mut requests = Vec::new();
        for _ in 0..world.runs {
            requests.push(share(&world.image().await, &tenants));
        }
        let job = world.measure_requests(later, requests).await["job_id"].as_str().unwrap().to_owned();
        if recipients == 1 {
            let (route, path) = ("GET /v1/{project_id}/jobs/{job_id}", format!("/v1/{OWNER}/jobs/{job}"));
            let show = Request { function: "job-status", project: OWNER, route, path, body: None };
            world.measure_request("show a job of 1 pair", show).await;
        }
    }
    let mut accepts = Vec::new();
    for _ in 0..world.runs {
        let image = world.pending_image().await;
        let body = json!({"images": [image.as_str()], "project_id": RECIPIENT, "status": "accepted"});
        let (route, path) = ("PUT /v1/cloudimages/members", MEMBERS.to_owned());
        accepts.push(Request { function: "respond", project: RECIPIENT, route, path, body: Some(body) });
    }
    world.measure_requests("accept 1 image", accepts).await;
}

/// Glance's and Alibaba's calls, each on one membership.
async fn measure_members(world: &mut World) {
    let (mut adds, mut accepts, mut removals, mut permissions) = (vec![], vec![], vec![], vec![]);
    for run in 0..world.runs {
        let image = world.image().await;
        let path = format!("/v2/images/{image}/members");
        let (route, body) = ("POST /v2/images/{image_id}/members", Some(json!({"member": RECIPIENT})));
        adds.push(Request { function: "share", project: OWNER, route, path: path.clone(), body });
        let path = format!("{path}/{RECIPIENT}");
        let (route, body) =
            ("PUT /v2/images/{image_id}/members/{member_id}", Some(json!({"status": "accepted"})));
        accepts.push(Request { function: "respond", project: RECIPIENT, route, path: path.clone(), body });
        let route = "DELETE /v2/images/{image_id}/members/{member_id}";
        removals.push(Request { function: "unshare", project: OWNER, route, path, body: None });
        let (image, account) = (world.image().await, format!("1182725234{run:05}"));
        let path = format!(
            "/?Action=ModifyImagePermission&Version=2020-09-30&RegionId=eu-west-1&ImageId={image}&AddAccount.1={account}"
        );
        permissions.push(Request {
            function: "permission",
            project: OWNER,
            route: "POST /",
            path,
            body: None,
        });
    }
    world.measure_requests("Glance: add a member, known to have received from this owner", adds).await;
    world.measure_requests("Glance: accept", accepts).await;
    world.measure_requests("Glance: remove a member", removals).await;
    world.measure_requests("Alibaba: share 1 image with 1 account", permissions).await;
}

/// Registering and reading images.
async fn measure_images(world: &mut World) {
    let request = |route: &'static str, path: String| Request {
        function: "images",
        project: OWNER,
        route,
        path,
        body: None,
    };
    let body = json!({"name": "golden-2026-11", "disk_format": "qcow2", "container_format": "bare"});
    let register = request("POST /v2/images", "/v2/images".to_owned());
    world.measure_request("register an image", Request { body: Some(body), ..register }).await;
    let image = world.image().await;
    world
        .measure_request("show an image", request("GET /v2/images/{image_id}", format!("/v2/images/{image}")))
        .await;

    let tenants: Vec<_> = (5_000..5_100).map(numbered).collect();
    for tenants in tenants.chunks(20) {
        world.share(std::slice::from_ref(&image), tenants).await;
    }
    let (route, path) = (
        "GET /v1/{project_id}/cloudimages/{image_id}/members",
        format!("/v1/{OWNER}/cloudimages/{image}/members?limit=100"),
    );
    world.measure_request("page of 100 members of an image", request(route, path)).await;

    let mut images = Vec::new();
    for _ in 0..100 {
        images.push(world.image().await);
    }
    let reader = numbered(6_000);
    world.share(&images, std::slice::from_ref(&reader)).await;
    let path = "/v2/cloudimages?__imagetype=shared&member_status=pending&limit=100".to_owned();
    let list = Request { project: reader.as_str(), ..request("GET /v2/cloudimages", path) };
    world.measure_request("page of 100 pending images", list).await;
}

/// A large job: its request and its work items; and the sweep that follows when there is none.
async fn measure_jobs(world: &mut World) {
    let schedule = vec![events::schedule_event(); world.runs];
    world.measure_events("sweep without open work", "job-worker", schedule).await;

    // Of two owners, since an owner's second large job would wait for the first.
    let projects: Vec<_> = (7_000..7_100).map(|number| numbered(number).to_string()).collect();
    let owners = [8_000, 8_001].map(|number| numbered(number).to_string());
    let mut requests = Vec::new();
    for owner in &owners {
        let mut images = Vec::new();
        for _ in 0..100 {
            images.push(world.image_of(owner).await.to_string());
        }
        let body = Some(json!({"images": images, "projects": projects}));
        let (route, path) = ("POST /v1/cloudimages/members", MEMBERS.to_owned());
        requests.push(Request { function: "share", project: owner, route, path, body });
    }
    world.measure_requests("share 100 images with 100 projects: request", requests).await;
    let store = &world.deployment.service().store;
    let mut records = Vec::new();
    for shard in 0..OPEN_SHARDS {
        for key in store.open_work_items(shard, None, 100).await.unwrap() {
            let text = |name: &str| key.primary_key()[name].as_s().unwrap().clone();
            let key = json!({"pk": {"S": text("pk")}, "sk": {"S": text("sk")}});
            records.push(events::stream_event(&[events::stream_record(
                "INSERT",
                &records.len().to_string(),
                &key,
            )]));
        }
    }
    records.truncate(world.runs);
    assert!(records.len() > 1, "a large job has several open work items");
    world.measure_events(WORK_ITEM, "job-worker", records).await;
}

/// What follows from a change of memberships. The stream may bring several changes in one batch; here each has its own.
async fn measure_effects(world: &mut World) {
    world.changes().await;
    for (call, recipients) in
        [("what follows from a share with 1 project", 1), ("what follows from a share with 5 projects", 5)]
    {
        let mut events = Vec::new();
        for run in 0..world.runs {
            let image = world.image().await;
            world.changes().await;
            let first = 9_000 + run * recipients;
            let tenants: Vec<_> = (first..first + recipients).map(numbered).collect();
            world.share(&[image], &tenants).await;
            events.push(world.changes().await.expect("a share changes memberships"));
        }
        world.measure_events(call, "effects", events).await;
    }
    let mut events = Vec::new();
    for _ in 0..world.runs {
        let (image, recipient) = (world.pending_image().await, caller(RECIPIENT));
        world.changes().await;
        let decision = (Status::Accepted, None);
        let service = world.deployment.service();
        usecases::respond(service, &recipient, recipient.tenant.clone(), vec![image], decision, None)
            .await
            .expect("a job");
        events.push(world.changes().await.expect("a decision changes a membership"));
    }
    world.measure_events("what follows from accepting 1 image", "effects", events).await;
}

/// Makes every call that is priced, with the binaries in a folder or with those of the tests.
async fn measure(repetitions: usize, binaries: Option<PathBuf>) -> BTreeMap<&'static str, Measurement> {
    let mut world = World::start(repetitions, binaries).await;
    measure_ims(&mut world).await;
    measure_members(&mut world).await;
    measure_images(&mut world).await;
    measure_jobs(&mut world).await;
    measure_effects(&mut world).await;
    world.measured
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/aws/cost/measured.json")
}

#[tokio::test(flavor = "multi_thread")]
async fn functions_use_what_prices_are_computed_from() {
    let recorded: Value = serde_json::from_str(&fs::read_to_string(file()).unwrap()).unwrap();
    let recorded = recorded["calls"].as_object().unwrap();
    let measured = measure(1, None).await;
    let mut names: Vec<_> = measured.keys().copied().collect();
    names.sort_unstable();
    assert!(recorded.keys().map(String::as_str).eq(names), "{:?}", recorded.keys());
    for (call, measured) in measured {
        let (recorded, measured) = (&recorded[call], measured.to_json());
        for field in ["function", "route", "status", "reads", "writes", "transactions", "publishes", "events"]
        {
            // Which recipients a work item is the first to reach depends on the shards, and those on random bits.
            let varies = call == WORK_ITEM && measured[field].is_number();
            assert!(varies || measured[field] == recorded[field], "{call}: {field} is {}", measured[field]);
        }
        let bytes = |call: &Value, field: &str| call[field].as_u64().unwrap();
        for field in ["log_bytes", "response_bytes"] {
            let most = bytes(recorded, field) + LOG_TOLERANCE.max(bytes(recorded, field) / 50);
            assert!(
                bytes(&measured, field) <= most,
                "{call}: {field} is {}, not {}",
                measured[field],
                recorded[field]
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes infra/aws/cost/measured.json"]
async fn write_what_prices_are_computed_from() {
    let mut measured = measure(REPETITIONS, None).await;
    let folder = env::var_os("IMAGESHARE_FUNCTIONS")
        .expect("IMAGESHARE_FUNCTIONS is the folder of optimised binaries");
    for (call, optimised) in measure(REPETITIONS, Some(folder.into())).await {
        measured.get_mut(call).expect("the same calls").processor_time = optimised.processor_time;
    }
    let calls: BTreeMap<_, _> = measured.iter().map(|(call, took)| (call, took.to_json())).collect();
    let date = Timestamp::now().to_iso_seconds().split('T').next().unwrap().to_owned();
    let binaries = env::var("IMAGESHARE_FUNCTIONS_ARE").unwrap_or_else(|_| "an optimised build".to_owned());
    let conditions = format!(
        "on {}, processor time of {binaries}, {REPETITIONS} calls each after a first, over HTTP to a table on the same machine",
        env::consts::ARCH
    );
    let measured = json!({"date": date, "conditions": conditions, "calls": calls});
    fs::write(file(), format!("{}\n", serde_json::to_string_pretty(&measured).unwrap())).unwrap();
}
