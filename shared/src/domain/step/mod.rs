//! Decides one step of a job: from what is known of its pairs, what becomes of each and what is to be written.
//!
//! The decision is pure. Its writes are made in one transaction which demands that everything it was made from is
//! still so; where that fails, it is made again from what is known then.

mod pair;
mod step_input;
mod step_plan;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::pair::Pair;
pub use self::step_input::{ExtraReads, Rules, StepInput, extra_reads};
pub use self::step_plan::{Change, Plan};
use super::job::MAX_ITEMS_PER_STEP;
use super::{ImageHead, ImageKind, Job, Membership, Outcome, Stamp, TenantId};

/// The most items that a pair writes: its membership, the count of its image, two vaults, and the check of a grant.
const MAX_ITEMS_PER_PAIR: usize = 5;

/// Decides what becomes of the pairs of one step of a job; of the first of them, where not all fit into one transaction.
pub fn plan(job: &Job, pairs: Range<usize>, known: &StepInput, rules: Rules<'_>) -> Plan {
    let mut decision = Plan::default();
    for (image, tenant) in pairs.filter_map(|number| job.pair(number)) {
        if decision.item_count() + MAX_ITEMS_PER_PAIR > MAX_ITEMS_PER_STEP {
            break;
        }
        let pair = Pair { image, tenant, input: known, plan_so_far: &decision, rules };
        match pair.plan(&job.task, job.id.0) {
            Err(failed) => {
                decision.outcomes.push(failed);
                if failed.depends_on_other_items() {
                    decision.unchanged_pairs.insert((image.clone(), tenant.clone()));
                }
            }
            Ok(effect) => {
                let outcome = pair.outcome(&job.task, &effect);
                decision.outcomes.push(outcome);
                decision.add_effect((image, tenant), known, effect);
            }
        }
    }
    decision
}

/// Decides that the pairs of a step are not attempted any more: those that are as the job wants them are done, the
/// others have failed, and nothing is written but that.
pub fn plan_failure(job: &Job, pairs: Range<usize>, known: &StepInput, rules: Rules<'_>) -> Plan {
    let outcome = |number| {
        let decision = plan(job, number..number + 1, known, rules);
        if decision.changes.is_empty() {
            decision.outcomes.into_iter().next()
        } else {
            Some(Outcome::RetriesExhausted)
        }
    };
    let outcomes = pairs.map(|number| outcome(number).unwrap_or(Outcome::RetriesExhausted)).collect();
    Plan { outcomes, ..Plan::default() }
}

/// Decides what a grant, a share that asks for no consent, does to one more pair, and adds it to what is decided
/// (`contract/decisions.md` 11).
///
/// # Errors
/// Why the image cannot be granted to the tenant.
pub(super) fn plan_auto_accepted_share(
    decision: &mut Plan,
    (image, tenant): (&ImageHead, &TenantId),
    at: Stamp,
    known: &StepInput,
    rules: Rules<'_>,
) -> Result<(), Outcome> {
    if matches!(image.spec.kind, ImageKind::FullEcs { .. }) {
        return Err(Outcome::NoVault);
    }
    let pair = Pair { image: &image.id, tenant, input: known, plan_so_far: decision, rules };
    let current = known.membership(&image.id, tenant);
    let mut effect = pair.share(Membership::share_auto_accepted(current, at))?;
    effect.offers_image |= effect.membership.is_some();
    decision.add_effect((&image.id, tenant), known, effect);
    Ok(())
}

/// Decides what taking an image from a tenant does, and adds it to what is decided.
pub(super) fn plan_unshare(
    decision: &mut Plan,
    (image, tenant): (&ImageHead, &TenantId),
    at: Stamp,
    known: &StepInput,
) {
    let current = known.membership(&image.id, tenant);
    decision.add_effect((&image.id, tenant), known, Membership::unshare(current, at).into());
}
