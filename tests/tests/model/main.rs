//! Checks the service against a small model of it: random histories of requests from several tenants, with workers
//! that get work items, and `effects` that gets changes, twice, late, out of order and several at once, and that are killed
//! between any two calls.
//!
//! ```text
//! one step of a history
//!
//! history ── turn ────►  share · worker · effects    an actor: a task that runs the service's own code
//!                                  │ its next call
//!                                  ▼
//!                         gate over the table        the call waits, and conflicts with others on the same items
//!                                  │
//! history ── verdict ─►  execute · lose the response · lose the request, and with it the actor
//!                                  │
//!                                  ▼
//!                           embedded table
//!                                  │ read, written, condition failed, cancelled
//!                 ┌────────────────┴──────────────┐
//!                 ▼                               ▼
//!     the actor runs on, to its       the model applies what was written: does it follow from
//!     next call or its end            a state of the model since the actor's first read?
//!                 │                               ▲
//!                 └── at its end, its result ─────┘
//!
//! after the last step: the whole table equals the model, and events, messages and the jobs of share rules follow from it
//! ```
//!
//! `PROPTEST_CASES` sets the number of histories, `FAULT_SCHEDULES` that of fault schedules; `MODEL_SEED` chooses
//! others than those of every ordinary run. Requests and workers take turns at the table, one call each, in the order
//! of the history, so that a failure is reproducible and shrinks. A transaction that waits for its turn conflicts
//! with others on the same items, as in DynamoDB.

mod calls;
mod concurrency;
mod expectations;
mod history;
mod http;
mod inbox;
mod invariants;
mod model;
mod process;
mod reads;
mod refusals;
mod rule_calls;
mod rules;
mod run;
mod schedule;
mod state;
mod statistics;
mod steps;
mod stream;
mod writes;

use std::str::FromStr;
use std::thread;

use imageshare_tests::notice::print_notice;
use imageshare_tests::table_server::{FaultCounts, TableServer};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use self::history::{History, any_history};
use self::schedule::ScheduleCounts;
use self::statistics::Statistics;

/// The default number of histories.
const DEFAULT_HISTORIES: u32 = 220;

/// Concurrent runners. When one waits, the processor is free for others.
const RUNNERS: u8 = 4;

#[test]
fn random_histories_match_the_model() {
    let cases = env_value("PROPTEST_CASES").unwrap_or(DEFAULT_HISTORIES).div_ceil(RUNNERS.into());
    let seed = model_seed();
    let count = Statistics::default();
    thread::scope(|scope| {
        let run = |runner| run_histories(cases, runner_seed(runner, seed), &count);
        let runners = (0..RUNNERS).map(|runner| scope.spawn(move || run(runner))).collect::<Vec<_>>();
        for runner in runners {
            if let Err(problem) = runner.join().unwrap() {
                panic!("MODEL_SEED={seed}: {problem}");
            }
        }
    });
    print_notice(&count);
    let [cancelled, rejected] = count.conflicts();
    let is_ordinary = cases.saturating_mul(RUNNERS.into()) >= DEFAULT_HISTORIES;
    assert!(!is_ordinary || (cancelled > 0 && rejected > 0), "no conflicts: {count}");
}

fn model_seed() -> u64 {
    env_value("MODEL_SEED").unwrap_or_default()
}

/// The seed of one runner: different for each, and for each `MODEL_SEED`.
fn runner_seed(runner: u8, seed: u64) -> [u8; 32] {
    let mut bytes = [runner; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes
}

fn run_histories(cases: u32, seed: [u8; 32], count: &Statistics) -> Result<(), String> {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_time: 120_000,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let one = |history: History| {
        count.count_history();
        on_a_paused_clock(run::run(&history, count)).map_err(TestCaseError::fail)
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    TestRunner::new_with_rng(config, random).run(&any_history(), one).map_err(|problem| problem.to_string())
}

fn on_a_paused_clock<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// The default number of fault schedules.
const DEFAULT_SCHEDULES: u64 = 1000;

/// Concurrent schedules, each over its own table.
const PARALLEL_SCHEDULES: u64 = 12;

#[test]
fn no_acknowledged_request_is_lost_under_random_faults() {
    let schedules = env_value("FAULT_SCHEDULES").unwrap_or(DEFAULT_SCHEDULES);
    let first = model_seed().wrapping_mul(1_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let counts = runtime.block_on(async {
        let lanes = (0..PARALLEL_SCHEDULES).map(|lane| {
            let seeds = (lane..schedules).step_by(usize::try_from(PARALLEL_SCHEDULES).unwrap());
            let seeds = seeds.map(move |seed| first.wrapping_add(seed));
            tokio::spawn(run_schedules(seeds))
        });
        let mut all = (ScheduleCounts::default(), FaultCounts::default());
        for lane in lanes.collect::<Vec<_>>() {
            let (counts, injected) = lane.await.unwrap();
            all.0.add(&counts);
            all.1.merge(&injected);
        }
        all
    });
    print_notice(&format_args!("{schedules} fault schedules: {}; {}", counts.0, counts.1));
}

async fn run_schedules(seeds: impl Iterator<Item = u64>) -> (ScheduleCounts, FaultCounts) {
    let database = TableServer::start().await;
    let mut counts = ScheduleCounts::default();
    for seed in seeds {
        if let Err(violation) = schedule::run(seed, &database, &mut counts).await {
            panic!("schedule {seed}: {violation}");
        }
    }
    (counts, database.fault_counts())
}

fn env_value<T: FromStr>(variable: &str) -> Option<T> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs one history, with limits that are never reached and clocks without skew.
fn run_once(events: Vec<history::Event>) {
    run_counted(events, &Statistics::default());
}

/// The same, and counts events.
fn run_counted(events: Vec<history::Event>, count: &Statistics) {
    let history = History {
        seed: 0,
        members_per_image: 9,
        pending_per_tenant: 9,
        pending_per_owner: 9,
        clock_offsets_ms: [0; history::PROCESSES],
        events,
    };
    on_a_paused_clock(run::run(&history, count))
        .unwrap_or_else(|violation| panic!("{violation}: {history:?}"));
}

/// A worker has read the image as pending. Then the image is accepted into the same vault, which fills it.
#[test]
fn concurrent_acceptance_does_not_count_twice_in_a_vault() {
    use self::history::{Action, Decision, Event, IMAGES, Request, image_id};
    use imageshare::domain::Status;
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::local_service::tenant;
    let event = |action, turns: Option<Vec<u8>>| Event::new(action, turns);
    let deliver = || Action::DeliverRecent { place: 0, workers: 1 };
    let (owner, by, id) = (tenant("owner-a"), tenant("tenant-c"), image_id(IMAGES[1]));
    let (images, decision) =
        (vec![id.clone()], Decision { status: Status::Accepted, vault: Some(0), owner: None });
    let share = Request::Share { by: owner, images: images.clone(), to: vec![by.clone()], key: None };
    let respond = Request::Respond { by: by.clone(), named: by.clone(), images, decision, key: None };
    let queued =
        Event { immediate_verdict: Verdict::LoseRequest, ..event(Action::Send(respond.clone()), None) };
    let decide = || Request::Decide { by: by.clone(), image: id.clone(), named: by.clone(), decision };
    let vault = Request::SetVault { by: by.clone(), vault: 0, gib: Some(40) };
    let begun = [event(Action::Send(vault), None), event(Action::Send(share), None)];
    // The first actor reads for some turns; then the second one runs to its end; then the first one does.
    for turns in 0..8 {
        let (first, second) = (Some(vec![0; turns]), Some(vec![1; 8]));
        let slow_worker =
            [queued.clone(), event(deliver(), first.clone()), event(Action::Send(decide()), second.clone())];
        let slow_decision =
            [queued.clone(), event(Action::Send(decide()), first.clone()), event(deliver(), second.clone())];
        let slow_batch = [
            event(Action::Send(respond.clone()), first.clone()),
            event(Action::Send(decide()), second.clone()),
        ];
        let beside_batch =
            [event(Action::Send(decide()), first), event(Action::Send(respond.clone()), second)];
        for race in [&slow_worker[..], &slow_decision, &slow_batch, &beside_batch] {
            run_once(begun.iter().chain(race).cloned().collect());
        }
    }
}

/// While a deletion is in progress, the image is shared with one of its members again.
#[test]
fn concurrent_share_leaves_no_member_on_a_deleted_image() {
    use self::history::{Action, Event, IMAGES, Request, image_id};
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::local_service::tenant;
    let event = |action, turns: usize| Event::new(action, Some(vec![0; turns]));
    let (by, id) = (tenant("owner-a"), image_id(IMAGES[0]));
    let (images, to) = (vec![id.clone()], vec![tenant("tenant-c")]);
    let share =
        || Action::Send(Request::Share { by: by.clone(), images: images.clone(), to: to.clone(), key: None });
    for (turns, at_once) in
        (0..6).flat_map(|turns| [(turns, Verdict::Execute), (turns, Verdict::LoseRequest)])
    {
        let delete = Action::Send(Request::DeleteImage { by: by.clone(), image: id.clone() });
        let again =
            Event { immediate_verdict: at_once, turns: Some(vec![1; 6]), ..Event::new(share(), None) };
        let deliver = Event::new(Action::DeliverRecent { place: 0, workers: 1 }, Some(vec![1; 4]));
        run_once(vec![Event::new(share(), None), event(delete, turns), again, deliver]);
    }
}

/// A share is queued, and executed while its recipient and its owner make requests on the same pair.
#[test]
fn acknowledged_share_is_visible_to_concurrent_requests() {
    use self::history::{Action, Decision, Event, IMAGES, Request, image_id};
    use imageshare::domain::Status;
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::local_service::tenant;
    let (owner, to, id) = (tenant("owner-a"), tenant("tenant-c"), image_id(IMAGES[0]));
    let images = vec![id.clone()];
    let decision = Decision { status: Status::Accepted, vault: None, owner: None };
    let share = Request::Share { by: owner.clone(), images: images.clone(), to: vec![to.clone()], key: None };
    let others = [
        Request::Decide { by: to.clone(), image: id.clone(), named: to.clone(), decision },
        Request::Respond { by: to.clone(), named: to.clone(), images, decision, key: None },
        Request::AddMember { by: owner.clone(), image: id.clone(), to: to.clone() },
        Request::RemoveMember { by: owner, image: id, to },
    ];
    let queued = Event { immediate_verdict: Verdict::LoseRequest, ..Event::new(Action::Send(share), None) };
    for other in others {
        for (turns, at_once) in
            (0..8).flat_map(|turns| [(turns, Verdict::Execute), (turns, Verdict::LoseRequest)])
        {
            let concurrent = Event {
                immediate_verdict: at_once,
                ..Event::new(Action::Send(other.clone()), Some(vec![0; turns]))
            };
            let deliver = Action::DeliverRecent { place: 0, workers: 1 };
            run_once(vec![queued.clone(), concurrent, Event::new(deliver, Some(vec![1; 8]))]);
        }
    }
}

/// A policy changes while its owner shares with the tenant that has it.
#[test]
fn policy_holds_for_every_share_requested_after_it() {
    use self::history::{Action, Event, IMAGES, Policy, Request, image_id};
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::local_service::tenant;
    let (owner, to) = (tenant("owner-a"), tenant("tenant-c"));
    let set = |policy| Request::SetPolicy { by: to.clone(), owner: owner.clone(), policy };
    let policies = [None, Some(Policy::Blocked), Some(Policy::Trusted { vault: Some(0) })];
    let changes = policies.iter().flat_map(|before| policies.iter().map(move |after| (*before, *after)));
    for ((before, after), id) in changes.flat_map(|change| IMAGES[..2].iter().map(move |id| (change, *id))) {
        let (image, images) = (image_id(id), vec![image_id(id)]);
        let add = [to.clone()].into();
        let shares = [
            Request::Share { by: owner.clone(), images, to: vec![to.clone()], key: None },
            Request::AddMember { by: owner.clone(), image: image.clone(), to: to.clone() },
            Request::ChangePermissions {
                by: owner.clone(),
                image,
                add,
                remove: std::collections::BTreeSet::new(),
            },
        ];
        for (turns, share) in (0..7).flat_map(|turns| shares.iter().map(move |share| (turns, share))) {
            let first = Event::new(Action::Send(set(before)), None);
            let held = |at_once| Event {
                immediate_verdict: at_once,
                ..Event::new(Action::Send(share.clone()), Some(vec![0; turns]))
            };
            let change = Event::new(Action::Send(set(after)), Some(vec![1; 6]));
            run_once(vec![first.clone(), held(Verdict::Execute), change.clone()]);
            let deliver = Action::DeliverRecent { place: 0, workers: 1 };
            let (queued, deliver) = (held(Verdict::LoseRequest), Event::new(deliver, Some(vec![0; turns])));
            run_once(vec![first, Event { turns: None, ..queued }, deliver, change]);
        }
    }
}

/// `effects` is killed at each of its calls, before or after it is executed.
#[test]
fn killed_effects_are_carried_out_all_the_same() {
    use self::history::{Action, Crash, Event, IMAGES, Request, image_id};
    use self::rules::{Description, Entry, Pattern, Recipients, Rule, RuleChange};
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::local_service::tenant;
    let (owner, member, image) = (tenant("owner-a"), tenant("tenant-c"), image_id(IMAGES[0]));
    let details = |recipients| Rule { pattern: Pattern::Golden, recipients, enabled: true, withdraws: true };
    let put = |rule, recipients| RuleChange::Put { owner: owner.clone(), rule, details: details(recipients) };
    let describe = |description| RuleChange::Describe { image: image.clone(), description };
    let changes = [
        put(0, Recipients::Project),
        put(1, Recipients::Organization),
        describe(Description::WebGoldenLinux),
        RuleChange::Enter { tenant: member, entry: Some(Entry::Member) },
        describe(Description::Web),
    ];
    let share = Request::Share {
        by: owner.clone(),
        images: vec![image_id(IMAGES[1])],
        to: vec![tenant("tenant-d")],
        key: None,
    };
    let deliver = || Action::DeliverChanges { skip: 0, count: 40, refuses: false };
    let lost_requests = (0..20).map(|call| (call, Verdict::LoseRequest));
    let lost_responses = (0..20).step_by(2).map(|call| (call, Verdict::LoseResponse));
    for (call, verdict) in lost_requests.chain(lost_responses) {
        let killed = || Event { crash: Some(Crash { call, verdict }), ..Event::new(deliver(), None) };
        let mut events = vec![Event::new(deliver(), None), Event::new(Action::Send(share.clone()), None)];
        for change in &changes {
            events.extend([Event::new(Action::ChangeRules(change.clone()), None), killed()]);
        }
        run_once(events);
    }
}

/// The worker of a large job's last work item is killed before it can start the next large job.
#[test]
fn queued_job_is_executed_after_a_worker_crash() {
    use self::history::{Action, Crash, Event, IMAGES, Request, extra_tenants, image_id};
    use imageshare_tests::gated_table::Verdict;
    use imageshare_tests::local_service::tenant;
    let images: Vec<_> = IMAGES[..3].iter().map(|id| image_id(id)).collect();
    let share = || Request::Share {
        by: tenant("owner-a"),
        images: images.clone(),
        to: extra_tenants(97).collect(),
        key: None,
    };
    for call in 0..14 {
        let request = || Event::new(Action::Send(share()), None);
        let deliver = |place, death| Event {
            crash: death,
            ..Event::new(Action::DeliverRecent { place, workers: 1 }, None)
        };
        let death = Some(Crash { call, verdict: Verdict::LoseRequest });
        run_once(vec![request(), request(), deliver(1, None), deliver(0, death)]);
    }
}

/// A transaction waits for its turn while another request retries a conflict with it.
#[test]
fn request_in_conflict_ends_done_queued_or_unavailable() {
    use self::history::{Action, Decision, Event, IMAGES, Request, image_id};
    use imageshare::domain::{Status, Visibility};
    use imageshare_tests::local_service::tenant;
    let (owner, to, id) = (tenant("owner-a"), tenant("tenant-c"), image_id(IMAGES[0]));
    let (by, named, images) = (|| owner.clone(), || to.clone(), || vec![id.clone()]);
    let decision = Decision { status: Status::Accepted, vault: None, owner: None };
    let requests = [
        Request::Unshare { by: by(), images: images(), to: vec![named()], key: None },
        Request::Respond { by: named(), named: named(), images: images(), decision, key: None },
        Request::Decide { by: named(), image: id.clone(), named: named(), decision },
        Request::RemoveMember { by: by(), image: id.clone(), to: named() },
        Request::SetVisibility { by: by(), image: id.clone(), visibility: Visibility::Private },
        Request::DeleteImage { by: by(), image: id.clone() },
    ];
    let share = Request::Share { by: by(), images: images(), to: vec![named()], key: None };
    let count = Statistics::default();
    for (holder, other) in
        requests.iter().flat_map(|holder| requests.iter().map(move |other| (holder, other)))
    {
        // The holder reaches its transaction after two or three reads. The other one gets its turn after one
        // conflict, or only after its timeout.
        for (reads, tries) in [(2, 1), (2, 60), (3, 1), (3, 60)] {
            let concurrent = |request: &Request, turns| Event::new(Action::Send(request.clone()), turns);
            let held = concurrent(holder, Some(vec![0; reads]));
            run_counted(
                vec![concurrent(&share, None), held, concurrent(other, Some(vec![1; tries]))],
                &count,
            );
        }
    }
    print_notice(&count);
    let [cancelled, rejected] = count.conflicts();
    assert!(cancelled > 0 && rejected > 0, "no conflicts");
}
