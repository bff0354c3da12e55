//! The service held to a small model of it: random histories of requests from several tenants, while workers deliver twice,
//! late and out of order, several at once, and die between any two writes.
//!
//! `PROPTEST_CASES` sets the number of histories, `FAULT_SCHEDULES` that of schedules; `MODEL_SEED` chooses others than those
//! of every ordinary run. Clients and workers take turns at the table, one call each, in the order that the history says,
//! so that a history that fails fails again, and shrinks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(missing_docs)]

mod ask;
mod count;
mod history;
mod http;
mod invariants;
mod judge;
mod look;
mod model;
mod race;
mod run;
mod schedule;
mod state;
mod steps;

use std::str::FromStr;
use std::thread;

use imageshare_tests::table_server::{Injected, TableServer};
use imageshare_tests::tell::tell;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use self::count::Count;
use self::history::{History, history};
use self::schedule::Told;

/// Histories where the environment names no other number.
const HISTORIES: u32 = 400;

/// Runners side by side: those that wait for each other in one history leave the processor to the others.
const RUNNERS: u8 = 4;

#[test]
fn table_and_jobs_are_what_a_simple_model_says_whatever_clients_and_workers_do() {
    let cases = named("PROPTEST_CASES").unwrap_or(HISTORIES).div_ceil(RUNNERS.into());
    let seed = model_seed();
    let count = Count::default();
    thread::scope(|scope| {
        let run = |runner| run_histories(cases, seed_of(runner, seed), &count);
        let runners = (0..RUNNERS).map(|runner| scope.spawn(move || run(runner))).collect::<Vec<_>>();
        for runner in runners {
            if let Err(problem) = runner.join().unwrap() {
                panic!("MODEL_SEED={seed}: {problem}");
            }
        }
    });
    tell(&count);
}

fn model_seed() -> u64 {
    named("MODEL_SEED").unwrap_or_default()
}

/// The seed of one runner: another for each, and all of them others for another `MODEL_SEED`.
fn seed_of(runner: u8, seed: u64) -> [u8; 32] {
    let mut bytes = [runner; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes
}

fn run_histories(cases: u32, seed: [u8; 32], count: &Count) -> Result<(), String> {
    let config = Config { cases, failure_persistence: None, max_shrink_time: 120_000, ..Config::default() };
    let one = |history: History| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        count.history();
        runtime.block_on(run::run(&history, count)).map_err(TestCaseError::fail)
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(config, random).run(&history(), one).map_err(|problem| problem.to_string())
}

/// Schedules of faults where the environment names no other number.
const SCHEDULES: u64 = 1000;

/// Schedules that run side by side, each over a table of its own.
const SIDE_BY_SIDE: u64 = 8;

#[test]
fn no_acknowledged_request_is_lost_whatever_fails_beneath_the_sdk() {
    let schedules = named("FAULT_SCHEDULES").unwrap_or(SCHEDULES);
    let first = model_seed().wrapping_mul(1_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let told = runtime.block_on(async {
        let lanes = (0..SIDE_BY_SIDE).map(|lane| {
            let seeds = (lane..schedules).step_by(usize::try_from(SIDE_BY_SIDE).unwrap());
            let seeds = seeds.map(move |seed| first.wrapping_add(seed));
            tokio::spawn(run_schedules(seeds))
        });
        let mut all = (Told::default(), Injected::default());
        for lane in lanes.collect::<Vec<_>>() {
            let (told, injected) = lane.await.unwrap();
            all.0.add(&told);
            all.1.add(&injected);
        }
        all
    });
    tell(&format_args!("{schedules} schedules of faults: {}; {}", told.0, told.1));
}

async fn run_schedules(seeds: impl Iterator<Item = u64>) -> (Told, Injected) {
    let database = TableServer::start().await;
    let mut told = Told::default();
    for seed in seeds {
        if let Err(wrong) = schedule::run(seed, &database, &mut told).await {
            panic!("schedule {seed}: {wrong}");
        }
    }
    (told, database.injected())
}

fn named<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// A worker has read that the image waits, and then it is accepted into the same vault, which it fills.
#[test]
fn a_vault_is_not_called_full_by_the_image_that_is_accepted_into_it_meanwhile() {
    use self::history::{Action, Event, IMAGES, Request, Says, image};
    use imageshare::domain::Status;
    use imageshare_tests::service::tenant;
    let event =
        |action, turns: Option<&[u8]>| Event { action, death: None, turns: turns.map(<[u8]>::to_vec) };
    let deliver = || Action::DeliverNew { place: 0, workers: 1 };
    let (owner, by, id) = (tenant("owner-a"), tenant("tenant-c"), image(IMAGES[1]));
    let (images, says) = (vec![id.clone()], Says { status: Status::Accepted, vault: Some(0) });
    let share = Request::Share { by: owner, images: images.clone(), to: vec![by.clone()], key: None };
    let respond =
        || Request::Respond { by: by.clone(), named: by.clone(), images: images.clone(), says, key: None };
    let answer = || Request::Answer { by: by.clone(), image: id.clone(), named: by.clone(), says };
    let vault = Request::Vault { by: by.clone(), vault: 0, gib: Some(40) };
    let begun = || {
        vec![
            event(Action::Ask(vault.clone()), None),
            event(Action::Ask(share.clone()), None),
            event(deliver(), None),
        ]
    };
    // Of the one that is there first, two readings; then the other one, as far as it gets; then the rest.
    let slow_worker = [
        event(Action::Ask(respond()), None),
        event(deliver(), Some(&[0, 0])),
        event(Action::Ask(answer()), Some(&[1, 1, 1, 1])),
    ];
    let slow_answer = [
        event(Action::Ask(respond()), None),
        event(Action::Ask(answer()), Some(&[0])),
        event(deliver(), Some(&[1, 1, 1, 1, 1])),
    ];
    for race in [slow_worker, slow_answer] {
        let events = begun().into_iter().chain(race).collect();
        let history = History { members_per_image: 9, pending_per_tenant: 9, events };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(run::run(&history, &Count::default())).unwrap();
    }
}

/// While a deletion is under way, the image is shared again with one of its members.
#[test]
fn a_deleted_image_leaves_no_membership_that_was_renewed_meanwhile() {
    use self::history::{Action, Event, IMAGES, Request, image};
    use imageshare_tests::service::tenant;
    let event = |action, turns: &[u8]| Event { action, death: None, turns: Some(turns.to_vec()) };
    let (by, id) = (tenant("owner-a"), image(IMAGES[0]));
    let (images, to) = (vec![id.clone()], vec![tenant("tenant-c")]);
    let share = Request::Share { by: by.clone(), images, to, key: None };
    let history = History {
        members_per_image: 9,
        pending_per_tenant: 9,
        events: vec![
            event(Action::Ask(share.clone()), &[0, 0]),
            event(Action::DeliverNew { place: 0, workers: 1 }, &[0, 0, 0]),
            event(Action::Ask(Request::Delete { by, image: id }), &[0, 0]),
            event(Action::Ask(share), &[1, 1]),
            event(Action::DeliverNew { place: 0, workers: 1 }, &[1, 1, 1]),
        ],
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(run::run(&history, &Count::default())).unwrap();
}
