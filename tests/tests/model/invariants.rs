//! Invariants while nothing is in progress: the table is as the model, every counter is the sum over the memberships,
//! and every job reports what was done. Each rule with a counter has a check here.

use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{Bypass, ImageId, JobStatus, Outcome, Status, TenantId, Visibility};
use imageshare::store::{IdempotencyRequest, List, OPEN_SHARDS, Order, Store, SubmitOutcome};
use imageshare_local::table::EmbeddedTable;
use imageshare_tests::local_service::tenant;
use imageshare_tests::totals::stored_and_actual;

use crate::calls::{stored_policy, vault_id_of};
use crate::expectations::Task;
use crate::history::{KEY, TENANTS, VAULTS};
use crate::model::{Model, PairChange, Violation};
use crate::state::{ImageKind, State, image_kind};

/// A page size that no list reaches.
const MAX_ITEMS: usize = 10_000;

/// Checks all invariants.
pub async fn check(store: &Store, table: &EmbeddedTable, model: &Model) -> Result<(), Violation> {
    let state = model.state();
    check_table(store, table, state).await?;
    check_lists(store, state).await?;
    check_jobs(store, model).await?;
    check_queues(store, model).await?;
    check_order(model)?;
    check_consent(model)
}

/// Images, members and tenants are as in the model, and every counter is the sum over the memberships. This holds at
/// any moment, even while requests are in progress.
pub async fn check_table(store: &Store, table: &EmbeddedTable, state: &State) -> Result<(), Violation> {
    for id in state.images.keys() {
        check_image(store, state, id).await?;
    }
    for id in TENANTS {
        check_tenant(store, state, &tenant(id)).await?;
    }
    let (kept, is) = stored_and_actual(table);
    expect_equal("sums", &kept, &is)
}

/// An image is as its owner left it, its members are those that it is shared with, and the member count is right.
async fn check_image(store: &Store, state: &State, id: &ImageId) -> Result<(), Violation> {
    let (found, _) = store.members(id, None, MAX_ITEMS).await.map_err(store_violation)?;
    let found: BTreeMap<_, _> = found.into_iter().map(|member| (member.tenant, member.status)).collect();
    expect_equal(&format!("members of {id}"), &found, &state.members(id))?;
    let image = store.head(id).await.map_err(store_violation)?.map(|head| head.bypass(Bypass::Test));
    let is = image.as_ref().map(|image| (image.owner.clone(), image.visibility, image.member_count as usize));
    let counted = state.members(id).len();
    expect_equal(
        &format!("{id}"),
        &is,
        &state.image(id).map(|image| (image.owner.clone(), image.visibility, counted)),
    )
}

/// The counters of a tenant, the reserved capacity of its vaults, its key grants, and its policies on owners.
async fn check_tenant(store: &Store, state: &State, tenant: &TenantId) -> Result<(), Violation> {
    let images = store.image_count(tenant).await.map_err(store_violation)?;
    expect_equal(&format!("images counted of {tenant}"), &(images as usize), &state.owned(tenant).len())?;
    for number in 0..VAULTS {
        let found = store.vault(&(tenant.clone(), vault_id_of(number))).await.map_err(store_violation)?;
        let found = found.map(|own| (own.vault.details.capacity_gib, own.vault.reserved_gib));
        let reserved = u64::from(state.reserved_gib(tenant, number));
        let must_be = state.vaults.get(&(tenant.clone(), number)).map(|gib| (*gib, reserved));
        expect_equal(&format!("vault {number} of {tenant}"), &found, &must_be)?;
        if must_be.is_none_or(|(gib, reserved)| u64::from(gib) < reserved) && reserved > 0 {
            return Err(format!("{reserved} GiB are reserved of vault {number} of {tenant}, {must_be:?}"));
        }
    }
    let key = KEY.parse().map_err(|_| "a key")?;
    let (granted, _) = store.key_grants((tenant, &key), None, MAX_ITEMS).await.map_err(store_violation)?;
    let granted: BTreeSet<_> = granted.into_iter().map(|granted| granted.tenant).collect();
    let must_be = state.grants.iter().filter(|(owner, _)| owner == tenant).map(|(_, to)| to.clone());
    expect_equal(&format!("key grants of {tenant}"), &granted, &must_be.collect())?;
    let (found, _) = store.owner_policies(tenant, None, None, MAX_ITEMS).await.map_err(store_violation)?;
    let found: Vec<_> = found.into_iter().map(|found| (found.owner, found.policy.policy)).collect();
    let must_be = state.policies.iter().filter(|((by, _), _)| by == tenant);
    let must_be = must_be.map(|((_, owner), policy)| (owner.clone(), stored_policy(*policy)));
    expect_equal(&format!("policies of {tenant}"), &found, &must_be.collect())
}

/// Every list has exactly the images of the model.
async fn check_lists(store: &Store, state: &State) -> Result<(), Violation> {
    for id in TENANTS {
        let owned = List::Owned(tenant(id));
        expect_equal(&format!("{owned:?}"), &listed_images(store, &owned).await?, &state.owned(&tenant(id)))?;
    }
    let tenants: BTreeSet<_> = state.pairs.keys().map(|(_, tenant)| tenant).collect();
    // The crowd is always named together, so checking a part of it is enough.
    for tenant in tenants.into_iter().take(TENANTS.len() + 2) {
        for status in Status::ALL {
            let list = List::Received(tenant.clone(), status);
            let is_shown =
                |id: &_| state.image(id).is_some_and(|image| image.visibility == Visibility::Shared);
            let shown = state.received(tenant, status).into_iter().filter(is_shown).collect();
            expect_equal(&format!("{list:?}"), &listed_images(store, &list).await?, &shown)?;
        }
    }
    for visibility in [Visibility::Public, Visibility::Community] {
        let open = state.images.iter().filter(|(_, image)| image.exists && image.visibility == visibility);
        let open: BTreeSet<_> = open.map(|(id, _)| id.clone()).collect();
        expect_equal(
            &format!("{visibility} images"),
            &listed_images(store, &List::Open(visibility)).await?,
            &open,
        )?;
    }
    Ok(())
}

async fn listed_images(store: &Store, list: &List) -> Result<BTreeSet<ImageId>, Violation> {
    let places = store.positions(list, None, Order::NewestFirst, MAX_ITEMS).await.map_err(store_violation)?;
    let listed: BTreeSet<_> = places.iter().map(|place| place.image.clone()).collect();
    expect_equal("places listed once", &places.len(), &listed.len())?;
    expect_equal(
        &format!("{list:?} counted"),
        &store.count_list(list, MAX_ITEMS).await.map_err(store_violation)?,
        &listed.len(),
    )?;
    Ok(listed)
}

/// Every job has ended, with the model's outcome for every pair.
async fn check_jobs(store: &Store, model: &Model) -> Result<(), Violation> {
    for (id, job) in &model.jobs {
        let report = store.report(*id).await.map_err(store_violation)?.ok_or(format!("job {id} is gone"))?;
        let report = report.bypass(Bypass::Test);
        let reported: BTreeMap<_, _> = report
            .outcomes()
            .map(|(image, tenant, outcome)| ((image.clone(), tenant.clone()), outcome))
            .collect();
        expect_equal(&format!("outcomes of job {id}"), &reported, &job.outcomes)?;
        if !matches!(job.task, Task::RespondToAll(_)) {
            expect_equal(&format!("pairs of job {id}"), &reported.into_keys().collect(), &job.pairs)?;
        }
        let has_failed =
            job.outcomes.values().any(|outcome| !matches!(outcome, Outcome::Done | Outcome::Superseded));
        let status = if has_failed { JobStatus::Fail } else { JobStatus::Success };
        expect_equal(&format!("status of job {id}"), &report.status(), &status)?;
    }
    for shard in 0..OPEN_SHARDS {
        expect_equal(
            "open work items",
            &store.open_work_items(shard, None, MAX_ITEMS).await.map_err(store_violation)?,
            &Vec::new(),
        )?;
    }
    Ok(())
}

/// The queues are empty, except for ended jobs whose worker was killed before it could remove them.
async fn check_queues(store: &Store, model: &Model) -> Result<(), Violation> {
    for id in TENANTS {
        let queue = store.tenant(&tenant(id)).await.map_err(store_violation)?.queue;
        for job in queue.jobs.iter().chain(queue.current.values()) {
            model.check_dequeued(*job)?;
        }
        if queue.jobs.is_empty() {
            expect_equal(&format!("open pairs of {id}"), &(queue.pair_count, queue.current.len()), &(0, 0))?;
        }
    }
    Ok(())
}

/// Of two requests on one membership, one that was made after the response to the other has the higher stamp,
/// whatever the processes' clocks say (decision 26).
fn check_order(model: &Model) -> Result<(), Violation> {
    let mut of_pair: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for request in &model.ordered {
        for pair in &request.pairs {
            of_pair.entry(pair).or_default().push(request);
        }
    }
    for (pair, requests) in of_pair {
        for first in &requests {
            let Some(answered) = first.answered else { continue };
            let after = requests.iter().find(|second| second.began > answered && second.stamp <= first.stamp);
            if let Some(second) = after {
                return Err(format!(
                    "{pair:?}: the response to {} at {} came before {}, whose stamp is lower: {}",
                    first.description, first.stamp, second.description, second.stamp
                ));
            }
        }
    }
    Ok(())
}

/// Every idempotency key still leads to its request and its job.
pub async fn check_keys(store: &Store, state: &State) -> Result<(), Violation> {
    for ((tenant, key), (request, job)) in &state.keys {
        let remembered = IdempotencyRequest {
            tenant: tenant.clone(),
            key_digest: key.to_string(),
            request_digest: request.clone(),
        };
        let found = store.prior_submission(&remembered).await.map_err(store_violation)?;
        expect_equal(&format!("key {key} of {tenant}"), &found, &Some(SubmitOutcome::Replayed(*job)))?;
    }
    Ok(())
}

/// By the responses alone, in whatever order the requests took effect: an image is shared with the tenants of shares
/// that no unshare has ended, and no tenant has a status that it did not choose.
fn check_consent(model: &Model) -> Result<(), Violation> {
    let pairs: BTreeSet<_> = model.pair_changes.iter().map(|(pair, _, _)| pair).collect();
    for pair in pairs {
        let changes = || {
            model.pair_changes.iter().filter(|(of, _, _)| of == pair).map(|(_, at, change)| (*at, *change))
        };
        let shared = changes()
            .filter(|(_, change)| matches!(change, PairChange::Share { .. }))
            .map(|(at, _)| at)
            .max();
        let granted = changes()
            .filter(|(_, change)| *change == PairChange::Share { asks_nothing: true })
            .map(|(at, _)| at)
            .max();
        let unshared = changes().filter(|(_, change)| *change == PairChange::Unshare).map(|(at, _)| at).max();
        let decisions = changes().filter_map(|(at, change)| {
            if let PairChange::Decide(status) = change { Some((at, status)) } else { None }
        });
        let decisions: Vec<_> = decisions.filter(|(at, _)| Some(*at) > unshared).collect();
        let status = model.state().pair(&pair.0, &pair.1).status();
        let is_there = model.state().image(&pair.0).is_some();
        expect_equal(
            &format!("whether {pair:?} is shared"),
            &status.is_some(),
            &(is_there && shared > unshared),
        )?;
        let Some(status) = status else { continue };
        let was_chosen = decisions.iter().any(|(_, decided)| *decided == status);
        let is_auto_accepted = status == Status::Accepted && granted > unshared;
        if status != Status::Pending && !was_chosen && !is_auto_accepted {
            return Err(format!("{pair:?} is {status}, which its tenant did not choose"));
        }
        // The newest decision counts, if it was made after the first share that no unshare has ended.
        let standing = changes()
            .filter(|(at, change)| matches!(change, PairChange::Share { .. }) && Some(*at) > unshared);
        let since = standing.map(|(at, _)| at).min();
        // Except for an acceptance whose reserved capacity was released with an earlier sharing.
        let waits_again = status == Status::Pending && matches!(image_kind(&pair.0), ImageKind::FullEcs(_));
        if let Some((_, decided)) = decisions.iter().max().filter(|(at, _)| Some(*at) > since)
            && !(waits_again && *decided == Status::Accepted)
        {
            expect_equal(&format!("newest decision of {pair:?}"), &status, decided)?;
        }
    }
    Ok(())
}

fn expect_equal<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, must_be: &T) -> Result<(), Violation> {
    if is == must_be { Ok(()) } else { Err(format!("{what}: {is:?}, expected {must_be:?}")) }
}

fn store_violation(problem: imageshare::store::StoreError) -> Violation {
    problem.to_string()
}
