//! What must be so when nothing is under way: the table is as the model is, every counter is what the memberships say,
//! and every job tells the truth. A rule with a counter has its line here.

use std::collections::{BTreeMap, BTreeSet};

use imageshare::domain::{ImageId, JobStatus, Outcome, Status, TenantId, Visibility};
use imageshare::store::{List, OPEN_SHARDS, Order, Remembered, Store, Submitted};
use imageshare_local::table::EmbeddedTable;
use imageshare_tests::service::tenant;
use imageshare_tests::sums::kept_and_true;

use crate::ask::vault;
use crate::history::{KEY, TENANTS, VAULTS};
use crate::judge::Task;
use crate::model::{Deed, Model, Wrong};
use crate::state::{Make, State, made_of};

/// More than there is of anything.
const ALL: usize = 10_000;

/// Checks everything.
pub async fn hold(store: &Store, table: &EmbeddedTable, model: &Model) -> Result<(), Wrong> {
    let state = model.state();
    table_is(store, table, state).await?;
    lists(store, state).await?;
    jobs(store, model).await?;
    queues(store, model).await?;
    order(model)?;
    consent(model)
}

/// What is kept of images, members and tenants is what the model says, and every sum what the memberships say. That holds
/// at any moment, whatever is under way.
pub async fn table_is(store: &Store, table: &EmbeddedTable, state: &State) -> Result<(), Wrong> {
    for id in state.images.keys() {
        image(store, state, id).await?;
    }
    for id in TENANTS {
        of_tenant(store, state, &tenant(id)).await?;
    }
    let (kept, is) = kept_and_true(table);
    same("sums", &kept, &is)
}

/// An image is as its owner left it, its members are those that it was shared with, and their number is counted rightly.
async fn image(store: &Store, state: &State, id: &ImageId) -> Result<(), Wrong> {
    let (found, _) = store.members(id, None, ALL).await.map_err(told)?;
    let found: BTreeMap<_, _> = found.into_iter().map(|member| (member.tenant, member.status)).collect();
    same(&format!("members of {id}"), &found, &state.members(id))?;
    let image = store.head(id).await.map_err(told)?;
    let is = image.as_ref().map(|image| (image.owner.clone(), image.visibility, image.members as usize));
    let counted = state.members(id).len();
    same(
        &format!("{id}"),
        &is,
        &state.image(id).map(|image| (image.owner.clone(), image.visibility, counted)),
    )
}

/// Counters of a tenant, what is reserved of its vaults, and to whom its key is granted.
async fn of_tenant(store: &Store, state: &State, tenant: &TenantId) -> Result<(), Wrong> {
    let images = store.image_count(tenant).await.map_err(told)?;
    same(&format!("images counted of {tenant}"), &(images as usize), &state.owned(tenant).len())?;
    for number in 0..VAULTS {
        let found = store.vault(&(tenant.clone(), vault(number))).await.map_err(told)?;
        let found = found.map(|own| (own.vault.details.capacity_gib, own.vault.reserved_gib));
        let reserved = u64::from(state.reserved(tenant, number));
        let must_be = state.vaults.get(&(tenant.clone(), number)).map(|gib| (*gib, reserved));
        same(&format!("vault {number} of {tenant}"), &found, &must_be)?;
        if must_be.is_none_or(|(gib, reserved)| u64::from(gib) < reserved) && reserved > 0 {
            return Err(format!("{reserved} GiB are reserved of vault {number} of {tenant}, {must_be:?}"));
        }
    }
    let key = KEY.parse().map_err(|_| "a key")?;
    let (granted, _) = store.key_grants((tenant, &key), None, ALL).await.map_err(told)?;
    let granted: BTreeSet<_> = granted.into_iter().map(|granted| granted.tenant).collect();
    let must_be = state.grants.iter().filter(|(owner, _)| owner == tenant).map(|(_, to)| to.clone());
    same(&format!("the key of {tenant} is granted"), &granted, &must_be.collect())
}

/// Every list holds what it must, and nothing else.
async fn lists(store: &Store, state: &State) -> Result<(), Wrong> {
    for id in TENANTS {
        let owned = List::Owned(tenant(id));
        same(&format!("{owned:?}"), &listed(store, &owned).await?, &state.owned(&tenant(id)))?;
    }
    let tenants: BTreeSet<_> = state.pairs.keys().map(|(_, tenant)| tenant).collect();
    // Of the crowd, which is always named together, some are enough.
    for tenant in tenants.into_iter().take(TENANTS.len() + 2) {
        for status in Status::ALL {
            let list = List::Received(tenant.clone(), status);
            let is_shown =
                |id: &_| state.image(id).is_some_and(|image| image.visibility == Visibility::Shared);
            let shown = state.received(tenant, status).into_iter().filter(is_shown).collect();
            same(&format!("{list:?}"), &listed(store, &list).await?, &shown)?;
        }
    }
    for visibility in [Visibility::Public, Visibility::Community] {
        let open = state.images.iter().filter(|(_, image)| image.is_alive && image.visibility == visibility);
        let open: BTreeSet<_> = open.map(|(id, _)| id.clone()).collect();
        same(&format!("{visibility} images"), &listed(store, &List::Open(visibility)).await?, &open)?;
    }
    Ok(())
}

async fn listed(store: &Store, list: &List) -> Result<BTreeSet<ImageId>, Wrong> {
    let places = store.places(list, None, Order::NewestFirst, ALL).await.map_err(told)?;
    let listed: BTreeSet<_> = places.iter().map(|place| place.image.clone()).collect();
    same("places listed once", &places.len(), &listed.len())?;
    same(&format!("{list:?} counted"), &store.count(list, ALL).await.map_err(told)?, &listed.len())?;
    Ok(listed)
}

/// Every job has ended, and says of every pair what the model knows of it.
async fn jobs(store: &Store, model: &Model) -> Result<(), Wrong> {
    for (id, job) in &model.jobs {
        let report = store.report(*id).await.map_err(told)?.ok_or(format!("job {id} is gone"))?;
        let says: BTreeMap<_, _> = report
            .outcomes()
            .map(|(image, tenant, outcome)| ((image.clone(), tenant.clone()), outcome))
            .collect();
        same(&format!("what job {id} says"), &says, &job.says)?;
        if !matches!(job.task, Task::RespondToAll(_)) {
            same(&format!("pairs of job {id}"), &says.into_keys().collect(), &job.pairs)?;
        }
        let has_failed = job.says.values().any(|said| !matches!(said, Outcome::Done | Outcome::Overtaken));
        let status = if has_failed { JobStatus::Fail } else { JobStatus::Success };
        same(&format!("status of job {id}"), &report.status(), &status)?;
    }
    for shard in 0..OPEN_SHARDS {
        same("open pieces", &store.open_pieces(shard, None, ALL).await.map_err(told)?, &Vec::new())?;
    }
    Ok(())
}

/// Nothing stands in a queue but what has ended, where its worker was stopped before it could say so.
async fn queues(store: &Store, model: &Model) -> Result<(), Wrong> {
    for id in TENANTS {
        let queue = store.tenant(&tenant(id)).await.map_err(told)?.queue;
        for job in queue.jobs.iter().chain(queue.active.values()) {
            model.dequeued(*job)?;
        }
        if queue.jobs.is_empty() {
            same(&format!("open pairs of {id}"), &(queue.pairs, queue.active.len()), &(0, 0))?;
        }
    }
    Ok(())
}

/// Of two requests about one membership, the one that was made after the other was answered is later, whatever the clocks
/// of the processes said (decision 26).
fn order(model: &Model) -> Result<(), Wrong> {
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
                    "of {pair:?}: {} at {} was answered before {} came, which is earlier: {}",
                    first.what, first.stamp, second.what, second.stamp
                ));
            }
        }
    }
    Ok(())
}

/// Every key still means its request and its job.
pub async fn keys(store: &Store, state: &State) -> Result<(), Wrong> {
    for ((tenant, key), (request, job)) in &state.keys {
        let remembered = Remembered {
            tenant: tenant.clone(),
            key_digest: key.to_string(),
            request_digest: request.clone(),
        };
        let found = store.submitted_before(&remembered).await.map_err(told)?;
        same(&format!("key {key} of {tenant}"), &found, &Some(Submitted::Before(*job)))?;
    }
    Ok(())
}

/// Whatever the order in which things took effect, by what was told to those who asked: an image is shared with whom it
/// was shared after all withdrawals, and nobody is said to have said what it has not.
fn consent(model: &Model) -> Result<(), Wrong> {
    let pairs: BTreeSet<_> = model.deeds.iter().map(|(pair, _, _)| pair).collect();
    for pair in pairs {
        let deeds = || model.deeds.iter().filter(|(of, _, _)| of == pair).map(|(_, at, deed)| (*at, *deed));
        let shared = deeds().filter(|(_, deed)| matches!(deed, Deed::Share { .. })).map(|(at, _)| at).max();
        let granted =
            deeds().filter(|(_, deed)| *deed == Deed::Share { asks_nothing: true }).map(|(at, _)| at).max();
        let unshared = deeds().filter(|(_, deed)| *deed == Deed::Unshare).map(|(at, _)| at).max();
        let answers = deeds()
            .filter_map(|(at, deed)| if let Deed::Answer(status) = deed { Some((at, status)) } else { None });
        let answers: Vec<_> = answers.filter(|(at, _)| Some(*at) > unshared).collect();
        let status = model.state().pair(&pair.0, &pair.1).status();
        let is_there = model.state().image(&pair.0).is_some();
        same(&format!("whether {pair:?} stands"), &status.is_some(), &(is_there && shared > unshared))?;
        let Some(status) = status else { continue };
        let said_so = answers.iter().any(|(_, said)| *said == status);
        let unasked = status == Status::Accepted && granted > unshared;
        if status != Status::Pending && !said_so && !unasked {
            return Err(format!("{pair:?} is {status}, which nobody has said"));
        }
        // The newest word holds, if it was said after the first share that nothing has withdrawn.
        let standing =
            deeds().filter(|(at, deed)| matches!(deed, Deed::Share { .. }) && Some(*at) > unshared);
        let since = standing.map(|(at, _)| at).min();
        // But for an acceptance whose vault was given back with an earlier sharing.
        let waits_again = status == Status::Pending && matches!(made_of(&pair.0), Make::Whole(_));
        if let Some((_, said)) = answers.iter().max().filter(|(at, _)| Some(*at) > since)
            && !(waits_again && *said == Status::Accepted)
        {
            same(&format!("last word of {pair:?}"), &status, said)?;
        }
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, must_be: &T) -> Result<(), Wrong> {
    if is == must_be { Ok(()) } else { Err(format!("{what}: {is:?}, must be {must_be:?}")) }
}

fn told(problem: imageshare::store::StoreError) -> Wrong {
    problem.to_string()
}
