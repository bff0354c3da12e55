//! `kill -9` of the server in the middle of jobs and requests, fifty times at random moments.
//!
//! Owners share, unshare and delete, their guests decide, and each keeps a record of what was acknowledged. Every
//! owner has its own images and guests and makes one request after the other, so the final state is known exactly: a
//! request that a cut left in doubt is repeated until it is acknowledged. After each cut a copy of the data is
//! checked as the cut has left it, while the restarted server continues with the original.
//!
//! A process is killed here, not the machine: what was written but is not on disk yet survives. That it is on disk
//! before it is acknowledged is the embedded database's promise (a write-ahead log, synchronised at every commit).
//!
//! Each life of the server has its own clock, which is wrong, drifts, and jumps once.

pub mod api_checks;
pub mod client;
pub mod owner;
pub mod record;
pub mod skewed_clock;
pub mod table_checks;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use imageshare::domain::Role;
use imageshare_local::keys::{SigningKey, TokenClaims};
use imageshare_local::table::EmbeddedTable;
use imageshare_tests::binaries::binary;
use imageshare_tests::notice::print_notice;
use imageshare_tests::server_process::ServerProcess;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::client::{Client, Endpoint, RequestCounts};
use self::owner::Owner;
use self::record::Record;
use self::skewed_clock::SkewedClock;
use self::table_checks::DataExaminer;

const CUTS: u32 = 50;
const OWNERS: usize = 8;

/// The guests of each owner: enough that a job of all its images and all of them has more than one work item.
const RECIPIENTS_PER_OWNER: usize = 48;

/// The longest life of a server before it is killed.
const MAX_LIFETIME_MS: u64 = 700;

/// The time limit for all jobs to end after the last cut.
const COMPLETION_TIMEOUT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_requests_survive_fifty_power_cuts() {
    let seed = std::env::var("POWER_CUT_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("POWER_CUT_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let began = Instant::now();

    let data = TempDir::new().unwrap();
    let clock = SkewedClock::build();
    let mut server = start_server(data.path(), &clock, &mut random).await;
    let (endpoint_sender, endpoint) =
        watch::channel(Endpoint { cut_count: 0, addresses: vec![server.address.clone()], is_last: false });
    let counts = Arc::new(RequestCounts::default());
    let owners: Vec<_> = (0..OWNERS)
        .map(|number| {
            let client = Client::new(endpoint.clone(), &counts);
            create_owner((number, RECIPIENTS_PER_OWNER), data.path(), client, random.fork())
        })
        .collect();
    let records: Vec<Arc<Mutex<Record>>> = owners.iter().map(Owner::record).collect();
    let working: Vec<JoinHandle<Owner>> = owners.into_iter().map(|owner| tokio::spawn(owner.run())).collect();

    let mut set_back = 0;
    let mut examination = tokio::spawn(async { DataExaminer::default() });
    for life in 1..=CUTS {
        tokio::time::sleep(Duration::from_millis(random.u64(..MAX_LIFETIME_MS))).await;
        server.kill();
        set_back += u32::from(server.log().contains("the machine's clock was set back"));
        let copy = copy_data(data.path());
        let recorded = records.iter().map(|record| record.lock().unwrap().clone()).collect();
        server = start_server(data.path(), &clock, &mut random).await;
        endpoint_sender.send_replace(Endpoint {
            cut_count: life,
            addresses: vec![server.address.clone()],
            is_last: life == CUTS,
        });
        let examiner = examination.await.unwrap();
        examination = tokio::spawn(examiner.examine(copy, recorded));
    }

    let mut recorded: Vec<Record> = Vec::new();
    for owner in working {
        let Ok(done) = timeout(COMPLETION_TIMEOUT, owner).await else {
            panic!("a client hangs: {}", server.log())
        };
        let mut owner = done.unwrap();
        api_checks::check_owner(&mut owner).await;
        let record = owner.record().lock().unwrap().clone();
        recorded.push(record);
    }
    let examiner = examination.await.unwrap();
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
    let table = EmbeddedTable::open(Some(data.path())).unwrap();
    table_checks::check_final_state(&table, &recorded).await;
    table.close().await;

    let jobs: usize = recorded.iter().map(|record| record.requests.len()).sum();
    print_notice(&format_args!(
        "{counts}; {jobs} jobs in all; {examiner}; {set_back} lives began before the end of the last; {:?}",
        began.elapsed()
    ));
    assert!(counts.interrupted() >= u64::from(CUTS / 2), "too few requests were in progress at a cut");
    // Most requests are executed at once, and leave no job to resume.
    assert!(examiner.interrupted_jobs() >= CUTS as usize / 10, "too few jobs were open at a cut");
    assert!(set_back >= CUTS / 5, "the clock was set back too seldom");
    assert!(examiner.partial_jobs() > 0, "no job was partly executed at a cut");
}

async fn start_server(data: &Path, clock: &SkewedClock, random: &mut fastrand::Rng) -> ServerProcess {
    let environment = clock.environment(random, MAX_LIFETIME_MS);
    ServerProcess::start_with_env(&binary("imageshare"), &["--data", data.to_str().unwrap()], environment)
        .await
}

/// An owner with that many guests, and their tokens, signed with the key in a directory.
pub fn create_owner(
    (number, recipients): (usize, usize),
    keys: &Path,
    link: Client,
    random: fastrand::Rng,
) -> Owner {
    let key = SigningKey::open_or_create(keys).unwrap();
    let token = |project: &str| {
        let grant = TokenClaims {
            project: project.parse().unwrap(),
            account: None,
            user: None,
            roles: vec![Role::Member],
            lifetime: Duration::from_hours(1),
        };
        (project.to_owned(), key.sign_token(&grant).unwrap())
    };
    let guests = (0..recipients).map(|guest| token(&format!("guest-{number}-{guest}"))).collect();
    Owner::new(token(&format!("owner-{number}")), guests, link, random)
}

fn copy_data(data: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for file in std::fs::read_dir(data).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}
