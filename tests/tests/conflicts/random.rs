//! Random small jobs at once: whatever conflicts, each pair ends as its latest request says.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use imageshare::domain::{ImageId, Limits, Outcome, Status, TenantId};
use imageshare_tests::tell::tell;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use tokio::runtime::Builder;

use crate::world::{Batch, World, count, tenants};

/// Images and tenants, each.
const MOST: usize = 12;

/// Runs where the environment does not name another number (`PROPTEST_CASES`).
const CASES: u32 = 24;

/// Requests that are made side by side while workers carry them out; all are done before the next round. The stamps of their
/// jobs say which is later.
///
/// An answer is no answer to a share that may still be open, so owners and recipients have rounds of their own.
#[derive(Debug, Clone)]
enum Round {
    /// The owner shares or withdraws some images with some tenants.
    Owner(Vec<(bool, BTreeSet<usize>, BTreeSet<usize>)>),
    /// A tenant accepts or rejects some images.
    Recipients(Vec<(bool, BTreeSet<usize>, usize)>),
}

fn round() -> impl Strategy<Value = Round> {
    let some = || btree_set(0..MOST, 1..=MOST);
    prop_oneof![
        2 => vec((prop::bool::weighted(0.7), some(), some()), 1..6).prop_map(Round::Owner),
        1 => vec((any::<bool>(), some(), 0..MOST), 1..10).prop_map(Round::Recipients),
    ]
}

/// The memberships of the image and the tenant of those numbers.
type Members = BTreeMap<(usize, usize), Status>;

/// A request's part of what the memberships must be in the end.
fn apply(members: &mut Members, batch: Batch, pair: (usize, usize)) {
    match batch {
        Batch::Share => {
            members.entry(pair).or_insert(Status::Pending);
        }
        Batch::Unshare => {
            members.remove(&pair);
        }
        Batch::Respond(status) => {
            members.entry(pair).and_modify(|member| *member = status);
        }
    }
}

struct Run {
    world: World,
    images: Vec<ImageId>,
    tenants: Vec<TenantId>,
    members: Members,
}

impl Run {
    async fn start(seed: u64) -> Self {
        let world = World::start_from(seed, Limits::default());
        let images = world.images("owner", MOST).await;
        Self { world, images, tenants: tenants(MOST), members: Members::new() }
    }

    async fn round(&mut self, round: &Round, workers: usize) {
        let requests: Vec<_> = match round {
            Round::Owner(requests) => requests
                .iter()
                .map(|(shares, images, tenants)| {
                    (if *shares { Batch::Share } else { Batch::Unshare }, images.clone(), tenants.clone())
                })
                .collect(),
            Round::Recipients(requests) => requests
                .iter()
                .map(|(accepts, images, tenant)| {
                    let status = if *accepts { Status::Accepted } else { Status::Rejected };
                    (Batch::Respond(status), images.clone(), BTreeSet::from([*tenant]))
                })
                .collect(),
        };
        let (world, all_images, all_tenants) = (&self.world, &self.images, &self.tenants);
        let submit = join_all(requests.iter().map(async |(batch, images, tenants)| {
            let images: Vec<_> = images.iter().map(|number| all_images[*number].clone()).collect();
            let tenants: Vec<_> = tenants.iter().map(|number| all_tenants[*number].clone()).collect();
            let project = if let Batch::Respond(_) = batch { tenants[0].as_str() } else { "owner" };
            world.batch(project, *batch, &images, &tenants).await
        }));
        let jobs = world.work_beside(workers, submit).await;
        let jobs: BTreeMap<_, _> = jobs.into_iter().zip(&requests).collect();
        for (job, (batch, images, tenants)) in jobs {
            let report = world.report(job).await;
            assert_eq!(report.done(), images.len() * tenants.len());
            assert!(report.ended().is_some());
            assert_eq!(count(&report, Outcome::GaveUp), 0);
            let pairs = images.iter().flat_map(|image| tenants.iter().map(|tenant| (*image, *tenant)));
            pairs.for_each(|pair| apply(&mut self.members, *batch, pair));
        }
    }

    async fn expect_end(&self) {
        for (number, image) in self.images.iter().enumerate() {
            for (other, tenant) in self.tenants.iter().enumerate() {
                let status = self.members.get(&(number, other)).copied();
                self.world.expect_member(image, tenant, status).await;
            }
            let members = self.members.keys().filter(|(image, _)| *image == number).count();
            self.world.expect_members(image, u32::try_from(members).unwrap()).await;
        }
        self.world.expect_sums();
        self.world.expect_nothing_given_up();
    }
}

#[test]
fn pairs_of_random_jobs_end_as_the_latest_request_says() {
    let cases = std::env::var("PROPTEST_CASES").ok().map_or(CASES, |cases| cases.parse().unwrap());
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    let conflicts = Cell::new(0);
    let runs = (any::<u64>(), vec(round(), 1..5), 2_usize..=6);
    proptest!(config, |((seed, rounds, workers) in runs)| {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut run = Run::start(seed).await;
            for round in &rounds {
                run.round(round, workers).await;
            }
            run.expect_end().await;
            conflicts.set(conflicts.get() + run.world.conflicts());
        });
    });
    let conflicts = conflicts.get();
    tell(&format_args!("{cases} runs of random jobs met {conflicts} conflicts"));
    assert!(cases < CASES || conflicts > 0, "no conflicts");
}
