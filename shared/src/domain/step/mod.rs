//! Plans one step of a job: from a snapshot, the outcome of each of its pairs and what is written.
//!
//! Planning is a pure function. The writes of a plan are made in one transaction under its guards: conditions that
//! what it was planned from is still true. If one fails, the step is planned again from a new snapshot.
//!
//! `guard` and `verdict` are what a rule returns; `rules` has one file for each rule; `consent` has the rules that
//! each request has to satisfy.

mod consent;
mod guard;
mod pair;
mod rules;
mod step_input;
mod step_plan;
#[cfg(test)]
mod tests;
mod verdict;

use std::ops::Range;

use self::pair::Pair;
use super::job::MAX_ITEMS_PER_PLAN;
use super::{ImageHead, Job, Outcome, Stamp, TenantId, Transition};

pub use self::guard::{Guard, Guards, PlanItem};
pub use self::rules::{Rule, extra_reads, owner_policy_reads, reads_recipients, share_obstacle};
pub use self::step_input::{ExtraReads, Rules, StepInput};
pub use self::step_plan::{Change, Plan};

/// Plans the pairs of one step of a job, or only the first of them if not all fit into one transaction.
pub fn plan(job: &Job, pairs: Range<usize>, input: &StepInput, rules: Rules<'_>) -> Plan {
    plan_up_to(MAX_ITEMS_PER_PLAN, job, pairs, input, rules)
}

/// Plans pairs of a job that is only checked: all of them, since the plan is not written in a transaction.
pub fn plan_dry_run(job: &Job, pairs: Range<usize>, input: &StepInput, rules: Rules<'_>) -> Plan {
    plan_up_to(usize::MAX, job, pairs, input, rules)
}

/// Plans the first pairs that write and check at most `max_items` items.
fn plan_up_to(max_items: usize, job: &Job, pairs: Range<usize>, input: &StepInput, rules: Rules<'_>) -> Plan {
    let mut plan = Plan::default();
    for (image, tenant) in pairs.filter_map(|number| job.pair(number)) {
        let pair = Pair { image, tenant, input, plan_so_far: &plan, rules };
        let (outcome, transition, pair_plan) = consent::plan_pair(&pair, &job.task, job.id.0);
        if plan.item_count_with(&pair_plan) > max_items {
            break;
        }
        plan.outcomes.push(outcome);
        let is_unknown = job.may_repeat && transition == Some(Transition::Unchanged);
        plan.transitions.push(transition.filter(|_| !is_unknown));
        plan.add_pair((image, tenant), input, pair_plan);
    }
    plan
}

/// Plans to give up on the pairs of a step: those that are as the job wants them are done, the others have failed. No
/// membership is written.
pub fn plan_failure(job: &Job, pairs: Range<usize>, input: &StepInput, rules: Rules<'_>) -> Plan {
    let result = |number| {
        let plan = plan(job, number..number + 1, input, rules);
        let result = plan.outcomes.into_iter().zip(plan.transitions).next();
        result.filter(|_| plan.changes.is_empty()).unwrap_or((Outcome::RetriesExhausted, None))
    };
    let (outcomes, transitions) = pairs.map(result).unzip();
    Plan { outcomes, transitions, ..Plan::default() }
}

/// Adds an auto-accepted share of one more pair to a plan (`contract/decisions.md` 11).
///
/// # Errors
/// The outcome of the first rule that forbids this share.
pub(super) fn plan_auto_accepted_share(
    plan: &mut Plan,
    (image, tenant): (&ImageHead, &TenantId),
    at: Stamp,
    input: &StepInput,
    rules: Rules<'_>,
) -> Result<(), Outcome> {
    let pair = Pair { image: &image.id, tenant, input, plan_so_far: plan, rules };
    let pair_plan = consent::share_auto_accepted(&pair, at).map_err(|violation| violation.outcome)?;
    plan.add_pair((&image.id, tenant), input, pair_plan);
    Ok(())
}

/// Adds an unshare of one more pair to a plan.
pub(super) fn plan_unshare(
    plan: &mut Plan,
    (image, tenant): (&ImageHead, &TenantId),
    at: Stamp,
    input: &StepInput,
    rules: Rules<'_>,
) {
    let pair = Pair { image: &image.id, tenant, input, plan_so_far: plan, rules };
    let pair_plan = consent::unshare(&pair, at);
    plan.add_pair((&image.id, tenant), input, pair_plan);
}
