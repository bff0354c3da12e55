//! Decides one step of a job: from what is known of its pairs, what becomes of each and what is to be written.
//!
//! The decision is pure. Its writes are made in one transaction which demands that everything it was made from is
//! still so; where that fails, it is made again from what is known then.

mod decision;
mod known;
mod pair;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use self::decision::{Change, Decision};
pub use self::known::{Known, Needed, Rules, needed};
use self::pair::Pair;
use super::job::ITEMS_PER_STEP;
use super::{ImageHead, Job, Kind, Membership, Outcome, Stamp, TenantId};

/// The most items that a pair writes: its membership, the count of its image, two vaults, and the check of a grant.
const ITEMS_PER_PAIR: usize = 5;

/// Decides what becomes of the pairs of one step of a job; of the first of them, where not all fit into one transaction.
pub fn decide(job: &Job, pairs: Range<usize>, known: &Known, rules: Rules<'_>) -> Decision {
    let mut decision = Decision::default();
    for (image, tenant) in pairs.filter_map(|number| job.pair(number)) {
        if decision.items() + ITEMS_PER_PAIR > ITEMS_PER_STEP {
            break;
        }
        let pair = Pair { image, tenant, known, before: &decision, rules };
        match pair.decide(&job.task, job.id.0) {
            Err(failed) => {
                decision.outcomes.push(failed);
                if failed.rests_on_more_than_the_pair() {
                    decision.unchanged.insert((image.clone(), tenant.clone()));
                }
            }
            Ok(effect) => {
                let outcome = pair.outcome(&job.task, &effect);
                decision.outcomes.push(outcome);
                decision.add((image, tenant), known, effect);
            }
        }
    }
    decision
}

/// Decides that the pairs of a step are not attempted any more: those that are as the job wants them are done, the
/// others have failed, and nothing is written but that.
pub fn give_up(job: &Job, pairs: Range<usize>, known: &Known, rules: Rules<'_>) -> Decision {
    let outcome = |number| {
        let decision = decide(job, number..number + 1, known, rules);
        if decision.changes.is_empty() { decision.outcomes.into_iter().next() } else { Some(Outcome::GaveUp) }
    };
    let outcomes = pairs.map(|number| outcome(number).unwrap_or(Outcome::GaveUp)).collect();
    Decision { outcomes, ..Decision::default() }
}

/// Decides what a grant, a share that asks for no consent, does to one more pair, and adds it to what is decided
/// (`contract/decisions.md` 11).
///
/// # Errors
/// Why the image cannot be granted to the tenant.
pub(super) fn decide_grant(
    decision: &mut Decision,
    (image, tenant): (&ImageHead, &TenantId),
    at: Stamp,
    known: &Known,
    rules: Rules<'_>,
) -> Result<(), Outcome> {
    if matches!(image.make.kind, Kind::FullEcs { .. }) {
        return Err(Outcome::NoVault);
    }
    let pair = Pair { image: &image.id, tenant, known, before: decision, rules };
    let current = known.membership(&image.id, tenant);
    let mut effect = pair.share(Membership::grant(current, at))?;
    effect.offers |= effect.becomes.is_some();
    decision.add((&image.id, tenant), known, effect);
    Ok(())
}

/// Decides what taking an image from a tenant does, and adds it to what is decided.
pub(super) fn decide_removal(
    decision: &mut Decision,
    (image, tenant): (&ImageHead, &TenantId),
    at: Stamp,
    known: &Known,
) {
    let current = known.membership(&image.id, tenant);
    decision.add((&image.id, tenant), known, Membership::unshare(current, at).into());
}
