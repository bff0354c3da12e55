//! Make the jobs of a share rule.
//!
//! A job has an idempotency key, so that an event that is delivered again makes no second job. It is made from the
//! rule by its name and its creation, and from what the rule acts on: an image at the revision that begins or ends to
//! match, or a tenant that joins and the images that it receives. The revision of the rule is no part of it. So an
//! event that is delivered again after the rule was edited does not act again, by the edited rule: only its owner's
//! request does that. A key is kept for 24 hours, as long as the table's stream delivers an event.

use sha2::{Digest, Sha256};

use crate::App;
use crate::domain::{
    Caller, Denied, ImageId, JobId, RecipientList, Role, RuleProblem, RuleProblemKind, ShareRequestError,
    ShareRule, ShareRuleCause, TenantId,
};
use crate::store::{IdempotencyRequest, ShareRuleJob, StoreError};
use crate::usecases::error::{ExceededLimit, UseCaseError};
use crate::usecases::share::share;
use crate::usecases::unshare::unshare;

/// The maximum number of pairs of a job, as of a batch request.
const MAX_PAIRS: usize = 10_000;

/// The maximum number of images of a job, as of a batch request.
const MAX_IMAGES: usize = 100;

/// The maximum size of the recipients of a job, in bytes of JSON. A job is one item, which DynamoDB limits to 400 KB.
const MAX_RECIPIENT_BYTES: usize = 360_000;

/// What a rule does, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order<'a> {
    pub(super) rule: &'a ShareRule,
    pub(super) cause: ShareRuleCause,
    pub(super) images: &'a [ImageId],
    pub(super) recipients: &'a [TenantId],
    /// What makes the order unique among those of the rule, unless its owner repeats it on purpose.
    pub(super) key: Option<&'a str>,
}

/// The owner as the caller of a rule's requests.
pub(super) fn owner_as_caller(owner: &TenantId) -> Caller {
    Caller { tenant: owner.clone(), account: None, user: None, access_key: None, role: Role::Member }
}

/// The most images that one job shares with that many recipients.
pub(super) fn images_per_job(recipients: usize) -> usize {
    (MAX_PAIRS / recipients.max(1)).clamp(1, MAX_IMAGES)
}

/// Shares images with recipients, or unshares them, in as many jobs as it takes. Returns the jobs, which are those of
/// an earlier order with the same key. Costs what each share costs, and one write for each job.
///
/// # Errors
/// [`UseCaseError`]; then the jobs before it were made.
pub(super) async fn execute_order(
    app: &App,
    caller: &Caller,
    order: Order<'_>,
) -> Result<Vec<JobId>, UseCaseError> {
    let mut jobs = Vec::new();
    for images in order.images.chunks(images_per_job(order.recipients.len())) {
        for recipients in split_recipients(order.recipients) {
            let idempotency = order.key.map(|key| request(caller, order, key, jobs.len()));
            let recipients = RecipientList::from(recipients.to_vec());
            let job = match order.cause {
                ShareRuleCause::ImageUnmatched => {
                    unshare(app, caller, images.to_vec(), recipients, idempotency).await?
                }
                ShareRuleCause::ImageMatched | ShareRuleCause::TenantJoined | ShareRuleCause::Applied => {
                    share(app, caller, images.to_vec(), recipients, idempotency).await?
                }
            };
            let made = ShareRuleJob { job, cause: order.cause };
            app.store.add_rule_job(&caller.tenant, &order.rule.name, &made).await?;
            jobs.push(job);
        }
    }
    Ok(jobs)
}

/// Divides recipients into runs, each of which fits into one job.
fn split_recipients(recipients: &[TenantId]) -> Vec<&[TenantId]> {
    let mut runs = Vec::new();
    let mut rest = recipients;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |tenant: &&TenantId| {
            // With its quotation marks and comma.
            bytes += tenant.as_str().len() + 3;
            bytes <= MAX_RECIPIENT_BYTES
        };
        let count = rest.iter().take(MAX_PAIRS).take_while(fits).count().max(1);
        let (run, after) = rest.split_at(count.min(rest.len()));
        runs.push(run);
        rest = after;
    }
    runs
}

/// The request of one job of an order under its idempotency key. No client's key has this digest: a NUL is no part of
/// one.
fn request(caller: &Caller, order: Order<'_>, key: &str, number: usize) -> IdempotencyRequest {
    let ShareRule { name, created, .. } = order.rule;
    let cause = order.cause.as_str();
    let text = format!("share-rule\0{name}\0{}\0{cause}\0{key}\0{number}", created.unix_millis());
    let digest = format!("{:x}", Sha256::digest(text));
    // Whatever the recipients are by now, it is the same order.
    IdempotencyRequest { tenant: caller.tenant.clone(), key_digest: digest.clone(), request_digest: digest }
}

/// Executes an order that no caller waits for. What is refused is stored with the rule. An image that was deleted is
/// nothing to store.
///
/// # Errors
/// [`StoreError`] if the table failed: the event has to be handled again.
pub(super) async fn execute_or_record(
    app: &App,
    owner: &TenantId,
    order: Order<'_>,
) -> Result<(), StoreError> {
    let caller = owner_as_caller(owner);
    let error = match execute_order(app, &caller, order).await {
        Ok(jobs) => {
            if !jobs.is_empty() {
                let (rule, cause, jobs) = (order.rule.name.as_str(), order.cause.as_str(), jobs.len());
                tracing::info!(%owner, rule, cause, jobs, images = order.images.len(), "share rule acted");
            }
            return Ok(());
        }
        Err(UseCaseError::Store(problem)) => return Err(problem),
        Err(error) => error,
    };
    tracing::info!(%owner, rule = order.rule.name.as_str(), %error, "share rule was refused");
    let (Some(kind), Some(first)) = (problem_kind(&error), order.images.first()) else { return Ok(()) };
    let problem = RuleProblem { at: app.clock().now(), image: refused_image(&error, first).clone(), kind };
    app.store.record_rule_problem(owner, order.rule, &problem).await
}

/// Why an order was refused, as it is stored; `None` if its image was deleted.
fn problem_kind(error: &UseCaseError) -> Option<RuleProblemKind> {
    Some(match error {
        UseCaseError::Denied(Denied::ImageNotFound(_)) => return None,
        UseCaseError::Denied(Denied::NotShared(problem))
        | UseCaseError::ShareRequest(ShareRequestError::NotShared(problem)) => {
            RuleProblemKind::NotShared { visibility: problem.visibility }
        }
        UseCaseError::ProjectNameAsId { named, tenant } => {
            RuleProblemKind::ProjectNameAsId { named: named.clone(), tenant: tenant.clone() }
        }
        UseCaseError::TooManyRequests { excess: ExceededLimit::OpenJobs { max_pairs }, .. } => {
            RuleProblemKind::QueueFull { max_pairs: *max_pairs }
        }
        _ => RuleProblemKind::Refused,
    })
}

/// The image that an error names, or else the first of the order.
fn refused_image<'a>(error: &'a UseCaseError, first: &'a ImageId) -> &'a ImageId {
    match error {
        UseCaseError::Denied(Denied::NotShared(problem))
        | UseCaseError::ShareRequest(ShareRequestError::NotShared(problem)) => &problem.image,
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenants(count: usize, length: usize) -> Vec<TenantId> {
        (0..count).map(|number| format!("{number:0length$}").parse().unwrap()).collect()
    }

    #[test]
    fn recipients_are_split_into_jobs_of_10000_pairs() {
        let sizes =
            |tenants: &[TenantId]| split_recipients(tenants).iter().map(|run| run.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&tenants(0, 5)), [0_usize; 0]);
        assert_eq!(sizes(&tenants(10_000, 32)), [10_000]);
        assert_eq!(sizes(&tenants(25_000, 32)), [10_000, 10_000, 5_000]);
        let long = tenants(10_000, 64);
        assert!(sizes(&long).len() == 2 && sizes(&long).iter().sum::<usize>() == 10_000);
        assert_eq!((images_per_job(0), images_per_job(3), images_per_job(10_000)), (100, 100, 1));
        assert_eq!((images_per_job(101), images_per_job(20_000)), (99, 1));
    }
}
