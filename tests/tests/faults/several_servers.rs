//! Three servers over one table in DynamoDB, killed with `kill -9` at random moments, each while the others go on.
//!
//! The owners, their records and the checks are those of the power cuts; their requests go to all servers in turn. A
//! request that a kill left in doubt is repeated at another server. The servers' clocks differ, by less than they may.
//! The table is the embedded one behind HTTP: it is not killed.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use imageshare::domain::Role;
use imageshare_local::TABLE;
use imageshare_local::keys::{SigningKey, TokenClaims, open_master_keys};
use imageshare_tests::binaries::binary;
use imageshare_tests::notice::print_notice;
use imageshare_tests::server_process::ServerProcess;
use imageshare_tests::table_server::TableServer;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::power_cut::client::{Client, Endpoint, Request, RequestCounts};
use super::power_cut::owner::Owner;
use super::power_cut::record::Record;
use super::power_cut::skewed_clock::SkewedClock;
use super::power_cut::{api_checks, create_owner, table_checks};

const SERVERS: usize = 3;
const KILLS: u32 = 24;
const OWNERS: usize = 6;
const RECIPIENTS_PER_OWNER: usize = 32;

/// The longest time between two kills.
const MAX_PAUSE_MS: u64 = 500;

/// How wrong a server's clock is at most: two of them differ by less than the five seconds that they may.
const MAX_CLOCK_ERROR_MS: i64 = 2_400;

/// The time limit for all jobs to end after the last kill. Usually each start finds what the killed server left; what
/// it misses, a sweep finds within two minutes.
const COMPLETION_TIMEOUT: Duration = Duration::from_mins(6);

/// A table, and what all servers over it have in common.
struct Fleet {
    table: TableServer,
    keys: TempDir,
    clock: SkewedClock,
}

impl Fleet {
    async fn start() -> Self {
        let keys = TempDir::new().unwrap();
        SigningKey::open_or_create(keys.path()).unwrap();
        open_master_keys(keys.path()).unwrap();
        Self { table: TableServer::start().await, keys, clock: SkewedClock::build() }
    }

    async fn start_server(&self, random: &mut fastrand::Rng) -> ServerProcess {
        let endpoint = self.table.endpoint();
        let keys = self.keys.path().to_str().unwrap();
        let mut environment = self.clock.constant(random, MAX_CLOCK_ERROR_MS);
        environment.extend([
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
        ]);
        let arguments = ["--table", TABLE, "--endpoint-url", &endpoint, "--keys", keys];
        ServerProcess::start_with_env(&binary("imageshare"), &arguments, environment).await
    }
}

fn addresses(servers: &[ServerProcess]) -> Vec<String> {
    servers.iter().map(|server| server.address.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_requests_survive_kills_of_three_servers() {
    let seed = std::env::var("SEVERAL_SERVERS_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("SEVERAL_SERVERS_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let began = Instant::now();

    let fleet = Fleet::start().await;
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        servers.push(fleet.start_server(&mut random).await);
    }
    let (endpoint_sender, endpoint) =
        watch::channel(Endpoint { cut_count: 0, addresses: addresses(&servers), is_last: false });
    let counts = Arc::new(RequestCounts::default());
    let owners: Vec<_> = (0..OWNERS)
        .map(|number| {
            let client = Client::new(endpoint.clone(), &counts);
            create_owner((number, RECIPIENTS_PER_OWNER), fleet.keys.path(), client, random.fork())
        })
        .collect();
    let records: Vec<Arc<Mutex<Record>>> = owners.iter().map(Owner::record).collect();
    let working: Vec<JoinHandle<Owner>> = owners.into_iter().map(|owner| tokio::spawn(owner.run())).collect();

    let mut resumed = 0;
    for kill in 1..=KILLS {
        tokio::time::sleep(Duration::from_millis(random.u64(..MAX_PAUSE_MS))).await;
        // One of them, sometimes two, rarely all.
        let count = [1, 1, 1, 2, 2, SERVERS][random.usize(..6)];
        for number in random.choose_multiple(0..SERVERS, count) {
            servers[number].kill();
            resumed += usize::from(servers[number].log().contains("open work of the table is taken up"));
            servers[number] = fleet.start_server(&mut random).await;
        }
        let addresses = addresses(&servers);
        endpoint_sender.send_replace(Endpoint { cut_count: kill, addresses, is_last: kill == KILLS });
    }

    let mut owners = Vec::new();
    for owner in working {
        let Ok(done) = timeout(COMPLETION_TIMEOUT, owner).await else {
            let logs: String = servers.iter().map(ServerProcess::log).collect();
            panic!("a client hangs: {logs}")
        };
        owners.push(done.unwrap());
    }
    for owner in &mut owners {
        api_checks::check_owner(owner).await;
    }
    for server in &mut servers {
        assert_eq!(server.terminate(), Some(0), "{}", server.log());
    }
    let recorded: Vec<Record> = records.iter().map(|record| record.lock().unwrap().clone()).collect();
    table_checks::check_final_state(&fleet.table.embedded(), &recorded).await;

    let jobs: usize = recorded.iter().map(|record| record.requests.len()).sum();
    print_notice(&format_args!(
        "{counts}; {jobs} jobs in all; {resumed} starts found open work; {:?}",
        began.elapsed()
    ));
    assert!(counts.interrupted() > 0, "no request was in progress at a kill");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_of_a_killed_server_is_done_by_another() {
    let (fleet, mut random) = (Fleet::start().await, fastrand::Rng::new());
    let mut killed = fleet.start_server(&mut random).await;
    let counts = Arc::new(RequestCounts::default());
    let endpoint = |server: &ServerProcess, life| Endpoint {
        cut_count: life,
        addresses: vec![server.address.clone()],
        is_last: false,
    };
    let (sender, receiver) = watch::channel(endpoint(&killed, 0));
    let mut client = Client::new(receiver, &counts);
    let token = owner_token(fleet.keys.path());
    let mut call = async |method: Method, target: String, body: Option<&Value>| {
        let request = Request { method, target, token: &token, body, idempotency_key: None };
        client.send_until_answered(&request).await.body
    };
    let mut images = Vec::new();
    for _ in 0..6 {
        let image = call(Method::POST, "/v2/images".to_owned(), Some(&json!({"name": "golden"}))).await;
        images.push(image["id"].clone());
    }
    let projects: Vec<_> = (0..50).map(|number| format!("guest-{number}")).collect();
    let body = json!({"images": images, "projects": projects});

    // Only the transaction that accepts the job is executed: every worker stalls.
    fleet.table.stall_after(1);
    let job = call(Method::POST, "/v1/cloudimages/members".to_owned(), Some(&body)).await;
    let job = job["job_id"].as_str().unwrap().to_owned();
    killed.kill();
    fleet.table.resume();
    let other = fleet.start_server(&mut random).await;
    sender.send_replace(endpoint(&other, 1));

    let target = format!("/v1/owner/jobs/{job}");
    let ended = async {
        loop {
            let state = call(Method::GET, target.clone(), None).await;
            if state["status"] != "INIT" && state["status"] != "RUNNING" {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let ended = timeout(COMPLETION_TIMEOUT, ended).await.unwrap_or_else(|_| panic!("{}", other.log()));
    assert_eq!(ended["status"], "SUCCESS", "{ended}");
    assert_eq!(ended["entities"]["results"].as_array().map(Vec::len), Some(300), "{ended}");
}

fn owner_token(keys: &Path) -> String {
    let claims = TokenClaims {
        project: "owner".parse().unwrap(),
        account: None,
        user: None,
        roles: vec![Role::Member],
        lifetime: Duration::from_hours(1),
    };
    SigningKey::load(keys).unwrap().sign_token(&claims).unwrap()
}
