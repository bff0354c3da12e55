//! The service held to a small model of it: random histories of requests from several tenants, while workers deliver twice,
//! late and out of order, several at once, and die between any two writes.
//!
//! `PROPTEST_CASES` sets the number of histories, `FAULT_SCHEDULES` that of schedules; `MODEL_SEED` chooses others than those
//! of every ordinary run. Clients and workers take turns at the table, one call each, in the order that the history says,
//! so that a history that fails fails again, and shrinks. A transaction that waits for its turn conflicts with others on the same
//! items, as in DynamoDB.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(missing_docs)]

mod ask;
mod count;
mod history;
mod http;
mod inbox;
mod invariants;
mod judge;
mod look;
mod model;
mod process;
mod race;
mod run;
mod schedule;
mod state;
mod steps;
mod writes;

use std::str::FromStr;
use std::thread;

use imageshare_tests::table_server::{Injected, TableServer};
use imageshare_tests::tell::tell;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use self::count::Count;
use self::history::{History, history};
use self::schedule::Told;

/// Histories where the environment names no other number.
const HISTORIES: u32 = 320;

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
    let [cancelled, rejected] = count.conflicts();
    let is_ordinary = cases.saturating_mul(RUNNERS.into()) >= HISTORIES;
    assert!(!is_ordinary || (cancelled > 0 && rejected > 0), "no conflicts: {count}");
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
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_time: 120_000,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let one = |history: History| {
        count.history();
        on_a_paused_clock(run::run(&history, count)).map_err(TestCaseError::fail)
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(config, random).run(&history(), one).map_err(|problem| problem.to_string())
}

fn on_a_paused_clock<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// Schedules of faults where the environment names no other number.
const SCHEDULES: u64 = 1000;

/// Schedules that run side by side, each over a table of its own.
const SIDE_BY_SIDE: u64 = 12;

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

/// One history, without limits that matter, on clocks that are right.
fn run_once(events: Vec<history::Event>) {
    run_counted(events, &Count::default());
}

/// The same, and counts what happens.
fn run_counted(events: Vec<history::Event>, count: &Count) {
    let history = History {
        seed: 0,
        members_per_image: 9,
        pending_per_tenant: 9,
        pending_per_owner: 9,
        ahead: [0; history::PROCESSES],
        events,
    };
    on_a_paused_clock(run::run(&history, count)).unwrap_or_else(|wrong| panic!("{wrong}: {history:?}"));
}

/// A worker has read that the image waits, and then it is accepted into the same vault, which it fills.
#[test]
fn a_vault_is_not_called_full_by_the_image_that_is_accepted_into_it_meanwhile() {
    use self::history::{Action, Event, IMAGES, Request, Says, image};
    use imageshare::domain::Status;
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::service::tenant;
    let event = |action, turns: Option<Vec<u8>>| Event::of(action, turns);
    let deliver = || Action::DeliverNew { place: 0, workers: 1 };
    let (owner, by, id) = (tenant("owner-a"), tenant("tenant-c"), image(IMAGES[1]));
    let (images, says) = (vec![id.clone()], Says { status: Status::Accepted, vault: Some(0) });
    let share = Request::Share { by: owner, images: images.clone(), to: vec![by.clone()], key: None };
    let respond = Request::Respond { by: by.clone(), named: by.clone(), images, says, key: None };
    let queued = Event { at_once: Verdict::Lost, ..event(Action::Ask(respond.clone()), None) };
    let answer = || Request::Answer { by: by.clone(), image: id.clone(), named: by.clone(), says };
    let vault = Request::Vault { by: by.clone(), vault: 0, gib: Some(40) };
    let begun = [event(Action::Ask(vault), None), event(Action::Ask(share), None)];
    // The one that is there first reads for some turns; then the other one gets to its end; then the rest.
    for turns in 0..8 {
        let (first, second) = (Some(vec![0; turns]), Some(vec![1; 8]));
        let slow_worker =
            [queued.clone(), event(deliver(), first.clone()), event(Action::Ask(answer()), second.clone())];
        let slow_answer =
            [queued.clone(), event(Action::Ask(answer()), first.clone()), event(deliver(), second.clone())];
        let slow_batch = [
            event(Action::Ask(respond.clone()), first.clone()),
            event(Action::Ask(answer()), second.clone()),
        ];
        let beside_batch = [event(Action::Ask(answer()), first), event(Action::Ask(respond.clone()), second)];
        for race in [&slow_worker[..], &slow_answer, &slow_batch, &beside_batch] {
            run_once(begun.iter().chain(race).cloned().collect());
        }
    }
}

/// While a deletion is under way, the image is shared again with one of its members.
#[test]
fn a_deleted_image_leaves_no_membership_that_was_renewed_meanwhile() {
    use self::history::{Action, Event, IMAGES, Request, image};
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::service::tenant;
    let event = |action, turns: usize| Event::of(action, Some(vec![0; turns]));
    let (by, id) = (tenant("owner-a"), image(IMAGES[0]));
    let (images, to) = (vec![id.clone()], vec![tenant("tenant-c")]);
    let share =
        || Action::Ask(Request::Share { by: by.clone(), images: images.clone(), to: to.clone(), key: None });
    for (turns, at_once) in (0..6).flat_map(|turns| [(turns, Verdict::Made), (turns, Verdict::Lost)]) {
        let delete = Action::Ask(Request::Delete { by: by.clone(), image: id.clone() });
        let again = Event { at_once, turns: Some(vec![1; 6]), ..Event::of(share(), None) };
        let deliver = Event::of(Action::DeliverNew { place: 0, workers: 1 }, Some(vec![1; 4]));
        run_once(vec![Event::of(share(), None), event(delete, turns), again, deliver]);
    }
}

/// A share is queued, and carried out while its recipient and its owner ask for something about the same pair.
#[test]
fn what_was_acknowledged_counts_as_done_at_any_moment_of_a_request() {
    use self::history::{Action, Event, IMAGES, Request, Says, image};
    use imageshare::domain::Status;
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::service::tenant;
    let (owner, to, id) = (tenant("owner-a"), tenant("tenant-c"), image(IMAGES[0]));
    let images = vec![id.clone()];
    let says = Says { status: Status::Accepted, vault: None };
    let share = Request::Share { by: owner.clone(), images: images.clone(), to: vec![to.clone()], key: None };
    let others = [
        Request::Answer { by: to.clone(), image: id.clone(), named: to.clone(), says },
        Request::Respond { by: to.clone(), named: to.clone(), images, says, key: None },
        Request::Add { by: owner.clone(), image: id.clone(), to: to.clone() },
        Request::Remove { by: owner, image: id, to },
    ];
    let queued = Event { at_once: Verdict::Lost, ..Event::of(Action::Ask(share), None) };
    for other in others {
        for (turns, at_once) in (0..8).flat_map(|turns| [(turns, Verdict::Made), (turns, Verdict::Lost)]) {
            let asked = Event { at_once, ..Event::of(Action::Ask(other.clone()), Some(vec![0; turns])) };
            let deliver = Action::DeliverNew { place: 0, workers: 1 };
            run_once(vec![queued.clone(), asked, Event::of(deliver, Some(vec![1; 8]))]);
        }
    }
}

/// The worker that has carried out the last work item of a large job dies before it can hand out the next job of the line.
#[test]
fn a_job_that_waits_in_line_is_carried_out_though_a_worker_dies() {
    use self::history::{Action, Death, Event, IMAGES, Request, crowd_of, image};
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::service::tenant;
    let images: Vec<_> = IMAGES[..3].iter().map(|id| image(id)).collect();
    let share = || Request::Share {
        by: tenant("owner-a"),
        images: images.clone(),
        to: crowd_of(97).collect(),
        key: None,
    };
    for call in 0..14 {
        let ask = || Event::of(Action::Ask(share()), None);
        let deliver =
            |place, death| Event { death, ..Event::of(Action::DeliverNew { place, workers: 1 }, None) };
        let death = Some(Death { call, verdict: Verdict::Lost });
        run_once(vec![ask(), ask(), deliver(1, None), deliver(0, death)]);
    }
}

/// A transaction waits for its turn while another request retries a conflict with it.
#[test]
fn conflict_ends_with_the_request_done_queued_or_unavailable() {
    use self::history::{Action, Event, IMAGES, Request, Says, image};
    use imageshare::domain::{Status, Visibility};
    use imageshare_tests::service::tenant;
    let (owner, to, id) = (tenant("owner-a"), tenant("tenant-c"), image(IMAGES[0]));
    let (by, named, images) = (|| owner.clone(), || to.clone(), || vec![id.clone()]);
    let says = Says { status: Status::Accepted, vault: None };
    let requests = [
        Request::Unshare { by: by(), images: images(), to: vec![named()], key: None },
        Request::Respond { by: named(), named: named(), images: images(), says, key: None },
        Request::Answer { by: named(), image: id.clone(), named: named(), says },
        Request::Remove { by: by(), image: id.clone(), to: named() },
        Request::Show { by: by(), image: id.clone(), visibility: Visibility::Private },
        Request::Delete { by: by(), image: id.clone() },
    ];
    let share = Request::Share { by: by(), images: images(), to: vec![named()], key: None };
    let count = Count::default();
    for (holder, other) in
        requests.iter().flat_map(|holder| requests.iter().map(move |other| (holder, other)))
    {
        // The holder is at its transaction after two or three reads. It gets its turn after one conflict, or only after its
        // timeout.
        for (reads, tries) in [(2, 1), (2, 60), (3, 1), (3, 60)] {
            let asked = |request: &Request, turns| Event::of(Action::Ask(request.clone()), turns);
            let held = asked(holder, Some(vec![0; reads]));
            run_counted(vec![asked(&share, None), held, asked(other, Some(vec![1; tries]))], &count);
        }
    }
    tell(&count);
    let [cancelled, rejected] = count.conflicts();
    assert!(cancelled > 0 && rejected > 0, "no conflicts");
}
