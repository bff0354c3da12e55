//! `kill -9` of the server in the middle of jobs and requests, fifty times at random moments.
//!
//! Owners share, unshare and delete, their guests answer, and each keeps a record of what was acknowledged. Every owner
//! has images and guests of its own and makes one request after the other, so that what must be in the end is known
//! exactly: a request that a cut left in doubt is made again until it is acknowledged. After each cut a copy of the data
//! is examined as the cut has left it, while the server, started again, already goes on with the original.
//!
//! A process dies here, not the machine: what was written but not yet on the disk is still there. That the disk has it
//! before it is acknowledged is the embedded database's promise (a write-ahead log, synchronised at every commit).
//!
//! Each life of the server has a clock of its own, which is wrong, drifts, and jumps once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod behind;
mod link;
mod outcome;
mod owner;
mod record;
mod wrong_clock;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use imageshare::domain::Role;
use imageshare_local::keys::{Grant, SigningKey};
use imageshare_tests::binaries::binary;
use imageshare_tests::server::Server;
use imageshare_tests::tell::tell;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::behind::Examiner;
use self::link::{Link, Place, Tally};
use self::owner::Owner;
use self::record::Record;
use self::wrong_clock::WrongClock;

const CUTS: u32 = 50;
const OWNERS: usize = 8;

/// How many guests each owner has: enough that a job of all its images with all of them is more than one piece.
const GUESTS: usize = 48;

/// The longest that a server lives before it is killed.
const LONGEST_LIFE_MS: u64 = 700;

/// All jobs must have ended this long after the last cut.
const END: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_no_pair_is_half_done_after_fifty_power_cuts() {
    let seed = std::env::var("POWER_CUT_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    println!("POWER_CUT_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let began = Instant::now();

    let data = TempDir::new().unwrap();
    let clock = WrongClock::build();
    let mut server = start(data.path(), &clock, &mut random).await;
    let (places, place) = watch::channel(Place { life: 0, address: server.address.clone(), is_last: false });
    let tally = Arc::new(Tally::default());
    let owners: Vec<_> = (0..OWNERS)
        .map(|number| owner(number, data.path(), Link::new(place.clone(), &tally), random.fork()))
        .collect();
    let records: Vec<Arc<Mutex<Record>>> = owners.iter().map(Owner::record).collect();
    let working: Vec<JoinHandle<Owner>> =
        owners.into_iter().map(|owner| tokio::spawn(owner.work())).collect();

    let mut set_back = 0;
    let mut examination = tokio::spawn(async { Examiner::default() });
    for life in 1..=CUTS {
        tokio::time::sleep(Duration::from_millis(random.u64(..LONGEST_LIFE_MS))).await;
        server.kill();
        set_back += u32::from(server.log().contains("the machine's clock was set back"));
        let copy = copy(data.path());
        let recorded = records.iter().map(|record| record.lock().unwrap().clone()).collect();
        server = start(data.path(), &clock, &mut random).await;
        places.send_replace(Place { life, address: server.address.clone(), is_last: life == CUTS });
        let examiner = examination.await.unwrap();
        examination = tokio::spawn(examiner.examine(copy, recorded));
    }

    let mut recorded: Vec<Record> = Vec::new();
    for owner in working {
        let Ok(done) = timeout(END, owner).await else { panic!("a client hangs: {}", server.log()) };
        let mut owner = done.unwrap();
        outcome::check(&mut owner).await;
        let record = owner.record().lock().unwrap().clone();
        recorded.push(record);
    }
    let examiner = examination.await.unwrap();
    assert_eq!(server.terminate(), Some(0), "{}", server.log());
    behind::check_end(data.path(), &recorded).await;

    let jobs: usize = recorded.iter().map(|record| record.requests.len()).sum();
    tell(&format_args!(
        "{tally}; {jobs} jobs in all; {examiner}; {set_back} lives began before the end of the last; {:?}",
        began.elapsed()
    ));
    assert!(tally.lost() >= u64::from(CUTS / 2), "too few requests were under way at a cut");
    // Most requests are carried out at once, and leave no job to go on with.
    assert!(examiner.resumed() >= CUTS as usize / 10, "too few jobs were under way at a cut");
    assert!(set_back >= CUTS / 5, "the clock was set back too seldom");
    assert!(examiner.halved() > 0, "no job was cut in its middle");
}

async fn start(data: &Path, clock: &WrongClock, random: &mut fastrand::Rng) -> Server {
    let environment = clock.environment(random, LONGEST_LIFE_MS);
    Server::start_in(&binary("imageshare"), &["--data", data.to_str().unwrap()], environment).await
}

/// An owner, its guests, and their tokens.
fn owner(number: usize, data: &Path, link: Link, random: fastrand::Rng) -> Owner {
    let key = SigningKey::open(data).unwrap();
    let token = |project: &str| {
        let grant = Grant {
            project: project.parse().unwrap(),
            account: None,
            user: None,
            roles: vec![Role::Member],
            lifetime: Duration::from_hours(1),
        };
        (project.to_owned(), key.token(&grant).unwrap())
    };
    let guests = (0..GUESTS).map(|guest| token(&format!("guest-{number}-{guest}"))).collect();
    Owner::new(token(&format!("owner-{number}")), guests, link, random)
}

fn copy(data: &Path) -> TempDir {
    let copy = TempDir::new().unwrap();
    for file in std::fs::read_dir(data).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}
