//! Three servers over one table in DynamoDB that take turns at carrying out effects, and are killed with `kill -9` at
//! random moments: every share's events come, each with one id, and every message is there, once.
//!
//! Each server has a bus of its own, on which it publishes what it carries out itself. A reader follows all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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
use tokio::time::{Instant, sleep, timeout};

use super::killed_events::{Client, Seen};

const SERVERS: usize = 3;
const KILLS: usize = 6;

/// The longest time between two kills: some are later than the lease is taken again, some earlier.
const MAX_PAUSE_MS: u64 = 6_000;

/// The time limit for what follows to come: a lease of 10 seconds, and up to 7 until another server tries to take it.
const TIMEOUT: Duration = Duration::from_mins(3);

struct Fleet {
    table: TableServer,
    keys: TempDir,
}

impl Fleet {
    async fn start() -> Self {
        let keys = TempDir::new().unwrap();
        SigningKey::open_or_create(keys.path()).unwrap();
        open_master_keys(keys.path()).unwrap();
        Self { table: TableServer::start().await, keys }
    }

    async fn start_server(&self, more: &[&str]) -> ServerProcess {
        let (endpoint, keys) = (self.table.endpoint(), self.keys.path().to_str().unwrap());
        let environment =
            [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "eu-west-1")];
        let environment = environment.map(|(name, value)| (name, value.to_owned())).to_vec();
        // A fast machine shares more than an owner may have pending by default.
        let limit = "pending-per-owner=100000";
        let mut arguments =
            vec!["--table", TABLE, "--endpoint-url", &endpoint, "--keys", keys, "--limit", limit];
        arguments.extend(more);
        ServerProcess::start_with_env(&binary("imageshare"), &arguments, environment).await
    }

    fn token(&self, project: &str, role: Role) -> String {
        let claims = TokenClaims {
            project: project.parse().unwrap(),
            account: None,
            user: None,
            roles: vec![role],
            lifetime: Duration::from_hours(1),
        };
        SigningKey::load(self.keys.path()).unwrap().sign_token(&claims).unwrap()
    }

    fn client(&self) -> Arc<Client> {
        let owner = self.token("owner", Role::Member);
        let (recipient, admin) = (self.token("recipient", Role::Member), self.token("ops", Role::Admin));
        Arc::new(Client::new(owner, recipient, admin))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_and_messages_survive_kills_of_three_readers() {
    let chosen = std::env::var("SEVERAL_READERS_SEED").ok().and_then(|text| text.parse().ok());
    let start = chosen.unwrap_or_else(|| fastrand::u64(..));
    println!("SEVERAL_READERS_SEED={start}");
    let mut random = fastrand::Rng::with_seed(start);
    let (fleet, began) = (Fleet::start().await, Instant::now());
    let client = fleet.client();
    let seen = Seen::default();
    let follow = |server: &ServerProcess| {
        let (client, seen, address) = (Arc::clone(&client), Arc::clone(&seen), server.address.clone());
        tokio::spawn(async move { client.follow(&address, &seen, || false).await })
    };
    let mut servers = Vec::new();
    for _ in 0..SERVERS {
        let server = fleet.start_server(&["--effects"]).await;
        drop(follow(&server));
        servers.push(server);
    }
    let (mut images, mut expected) = (BTreeSet::new(), BTreeSet::new());
    let mut kills_of_readers = 0;
    for _ in 0..KILLS {
        let end = Instant::now() + Duration::from_millis(random.u64(500..MAX_PAUSE_MS));
        while Instant::now() < end {
            let server = servers[random.usize(..SERVERS)].address.clone();
            let call = |target, body| client.call(&server, client.owner(), Method::POST, target, Some(body));
            let name = json!({"name": "golden"});
            let image = call("/v2/images", &name).await.unwrap()["id"].as_str().unwrap().to_owned();
            let share = json!({"images": [image], "projects": ["recipient"]});
            let job =
                call("/v1/cloudimages/members", &share).await.unwrap()["job_id"].as_str().unwrap().to_owned();
            expected.insert(format!("image.registered owner {image}"));
            expected.insert(format!("job.ended owner {job}"));
            for audience in ["owner", "recipient"] {
                expected.insert(format!("share.offered {audience} {image} recipient"));
            }
            images.insert(image);
            sleep(Duration::from_millis(random.u64(..100))).await;
        }
        let reads = |server: &ServerProcess| server.log().contains("this server carries out the effects");
        let reader = servers.iter().position(reads).filter(|_| random.bool());
        let number = reader.unwrap_or_else(|| random.usize(..SERVERS));
        servers[number].kill();
        kills_of_readers += usize::from(reads(&servers[number]));
        servers[number] = fleet.start_server(&["--effects"]).await;
        drop(follow(&servers[number]));
    }
    let missing = || {
        let seen = seen.lock().unwrap();
        expected.iter().filter(|event| !seen.contains_key(*event)).cloned().collect::<Vec<_>>()
    };
    // What a server has published just before it was killed was perhaps read by nobody: then only its message is there.
    let recipients = async {
        loop {
            let told = messages(&client, &servers[0].address).await;
            if told.len() >= images.len() {
                return told;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let told = timeout(TIMEOUT, recipients).await.unwrap_or_else(|_| {
        panic!("{:?} are missing: {}", missing(), servers.iter().map(ServerProcess::log).collect::<String>())
    });
    assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), images);
    assert_eq!(told.len(), images.len(), "a message is there twice");
    for (event, ids) in seen.lock().unwrap().iter() {
        assert!(expected.contains(event), "{event}");
        assert_eq!(ids.len(), 1, "{event} has the ids {ids:?}");
    }
    for server in &mut servers {
        assert_eq!(server.terminate(), Some(0), "{}", server.log());
    }
    print_notice(&format_args!(
        "{} shares, {KILLS} kills, {kills_of_readers} of a reader; {} of {} events were seen; {:?}",
        images.len(),
        expected.len() - missing().len(),
        expected.len(),
        began.elapsed()
    ));
}

/// The images of all messages of the recipient.
async fn messages(client: &Client, server: &str) -> Vec<String> {
    let (mut told, mut marker) = (Vec::new(), String::new());
    loop {
        let target = format!("/v1/messages?limit=100{marker}");
        let list = client.call(server, client.recipient(), Method::GET, &target, None).await.unwrap();
        for message in list["messages"].as_array().unwrap() {
            told.extend(
                message["images"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|image| image["id"].as_str().unwrap().to_owned()),
            );
        }
        match list["page_info"]["next_marker"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => return told,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_reader_leaves_its_turn_to_another() {
    let fleet = Fleet::start().await;
    let client = fleet.client();
    let mut first = fleet.start_server(&["--effects"]).await;
    let second = fleet.start_server(&["--effects"]).await;
    let silent = fleet.start_server(&[]).await;
    let takes_over = |server: &ServerProcess| server.log().contains("this server carries out the effects");
    let stays_silent = || silent.log().contains("this server reads no stream");
    let until_one_does = async {
        while !stays_silent() || !takes_over(&first) && !takes_over(&second) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(TIMEOUT, until_one_does).await.unwrap_or_else(|_| panic!("{}", silent.log()));
    assert_eq!(first.terminate(), Some(0), "{}", first.log());
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let name: Value = json!({"name": "golden"});
    let made =
        client.call(&silent.address, client.owner(), Method::POST, "/v2/images", Some(&name)).await.unwrap();
    let event = format!("image.registered owner {}", made["id"].as_str().unwrap());
    let is_seen = || seen.lock().unwrap().contains_key(&event);
    let followed = timeout(TIMEOUT, client.follow(&second.address, &seen, is_seen)).await;
    assert!(followed.is_ok(), "{}", second.log());
}
