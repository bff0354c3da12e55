//! Random small jobs at once: despite conflicts, each pair ends as its latest request says.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use imageshare::domain::{ImageId, Limits, Outcome, Status, TenantId};
use imageshare_tests::notice::print_notice;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use tokio::runtime::Builder;

use crate::world::{BatchOperation, World, outcome_count, tenants};

/// The number of images, and of tenants.
const GRID_SIZE: usize = 12;

/// The default number of runs (`PROPTEST_CASES`).
const DEFAULT_CASES: u32 = 24;

/// Requests that are made concurrently while workers execute them; all are done before the next round. The stamps of
/// their jobs order them.
///
/// A decision on a share that is still open is refused, so owners and recipients have separate rounds.
#[derive(Debug, Clone)]
enum Round {
    /// The owner shares or unshares some images with some tenants.
    OwnerRequests(Vec<(bool, BTreeSet<usize>, BTreeSet<usize>)>),
    /// A tenant accepts or rejects some images.
    RecipientRequests(Vec<(bool, BTreeSet<usize>, usize)>),
}

fn round() -> impl Strategy<Value = Round> {
    let some = || btree_set(0..GRID_SIZE, 1..=GRID_SIZE);
    prop_oneof![
        2 => vec((prop::bool::weighted(0.7), some(), some()), 1..6).prop_map(Round::OwnerRequests),
        1 => vec((any::<bool>(), some(), 0..GRID_SIZE), 1..10).prop_map(Round::RecipientRequests),
    ]
}

/// The expected memberships, by the numbers of image and tenant.
type ExpectedStatuses = BTreeMap<(usize, usize), Status>;

/// A request's part of the expected memberships.
fn apply_request(members: &mut ExpectedStatuses, batch: BatchOperation, pair: (usize, usize)) {
    match batch {
        BatchOperation::Share => {
            members.entry(pair).or_insert(Status::Pending);
        }
        BatchOperation::Unshare => {
            members.remove(&pair);
        }
        BatchOperation::Respond(status) => {
            members.entry(pair).and_modify(|member| *member = status);
        }
    }
}

struct RandomRun {
    world: World,
    images: Vec<ImageId>,
    tenants: Vec<TenantId>,
    expected_statuses: ExpectedStatuses,
}

impl RandomRun {
    async fn start(seed: u64) -> Self {
        let world = World::start_with_seed(seed, Limits::default());
        let images = world.create_images("owner", GRID_SIZE).await;
        Self { world, images, tenants: tenants(GRID_SIZE), expected_statuses: ExpectedStatuses::new() }
    }

    async fn run_round(&mut self, round: &Round, workers: usize) {
        let requests: Vec<_> = match round {
            Round::OwnerRequests(requests) => requests
                .iter()
                .map(|(shares, images, tenants)| {
                    (
                        if *shares { BatchOperation::Share } else { BatchOperation::Unshare },
                        images.clone(),
                        tenants.clone(),
                    )
                })
                .collect(),
            Round::RecipientRequests(requests) => requests
                .iter()
                .map(|(accepts, images, tenant)| {
                    let status = if *accepts { Status::Accepted } else { Status::Rejected };
                    (BatchOperation::Respond(status), images.clone(), BTreeSet::from([*tenant]))
                })
                .collect(),
        };
        let (world, all_images, all_tenants) = (&self.world, &self.images, &self.tenants);
        let submit = join_all(requests.iter().map(async |(batch, images, tenants)| {
            let images: Vec<_> = images.iter().map(|number| all_images[*number].clone()).collect();
            let tenants: Vec<_> = tenants.iter().map(|number| all_tenants[*number].clone()).collect();
            let project = if let BatchOperation::Respond(_) = batch { tenants[0].as_str() } else { "owner" };
            world.submit_batch(project, *batch, &images, &tenants).await
        }));
        let jobs = world.run_workers_during(workers, submit).await;
        let jobs: BTreeMap<_, _> = jobs.into_iter().zip(&requests).collect();
        for (job, (batch, images, tenants)) in jobs {
            let report = world.report(job).await;
            assert_eq!(report.done_count(), images.len() * tenants.len());
            assert!(report.ended_at().is_some());
            assert_eq!(outcome_count(&report, Outcome::RetriesExhausted), 0);
            let pairs = images.iter().flat_map(|image| tenants.iter().map(|tenant| (*image, *tenant)));
            pairs.for_each(|pair| apply_request(&mut self.expected_statuses, *batch, pair));
        }
    }

    async fn expect_final_state(&self) {
        for (number, image) in self.images.iter().enumerate() {
            for (other, tenant) in self.tenants.iter().enumerate() {
                let status = self.expected_statuses.get(&(number, other)).copied();
                self.world.expect_status(image, tenant, status).await;
            }
            let members = self.expected_statuses.keys().filter(|(image, _)| *image == number).count();
            self.world.expect_member_count(image, u32::try_from(members).unwrap()).await;
        }
        self.world.expect_consistent_sums();
        self.world.expect_no_failures();
    }
}

#[test]
fn random_jobs_leave_each_pair_as_last_requested() {
    let cases = std::env::var("PROPTEST_CASES").ok().map_or(DEFAULT_CASES, |cases| cases.parse().unwrap());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let conflicts = Cell::new(0);
    let runs = (any::<u64>(), vec(round(), 1..5), 2_usize..=6);
    proptest!(config, |((seed, rounds, workers) in runs)| {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut run = RandomRun::start(seed).await;
            for round in &rounds {
                run.run_round(round, workers).await;
            }
            run.expect_final_state().await;
            conflicts.set(conflicts.get() + run.world.conflicts());
        });
    });
    let conflicts = conflicts.get();
    print_notice(&format_args!("{cases} runs of random jobs met {conflicts} conflicts"));
    assert!(cases < DEFAULT_CASES || conflicts > 0, "no conflicts");
}
