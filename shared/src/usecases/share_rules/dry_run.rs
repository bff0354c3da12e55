//! Find out what a share rule would do to the images that are there, without doing it.

use super::error::ShareRuleError;
use super::manage::show;
use super::matching::matching_images;
use super::recipients::resolve_recipients;
use crate::App;
use crate::domain::{
    Caller, Image, ImageId, Job, JobId, Outcome, ShareRuleName, Task, TenantId, Visibility, authorize_write,
};
use crate::store::Pair;
use crate::usecases::directory::reject_names_as_ids;
use crate::usecases::error::UseCaseError;

/// The most pairs that are planned.
const MAX_PAIRS: usize = 100;

/// The most images that match of which one page is read.
const IMAGES_PER_PAGE: usize = 1_000;

/// The most pages of images that are read.
const MAX_PAGES: usize = 10;

/// What a rule would do.
#[derive(Debug, PartialEq, Eq)]
pub struct RuleDryRun {
    /// How many images match.
    pub images: usize,
    /// Whether `images` is all of them, or more were not read.
    pub is_complete: bool,
    /// How many tenants are recipients.
    pub recipients: usize,
    /// The first pairs, image by image in the order in which the rule would share them.
    pub first_pairs: Vec<DryRunPair>,
}

/// A pair, and what would become of it.
#[derive(Debug, PartialEq, Eq)]
pub struct DryRunPair {
    /// The image.
    pub image: ImageId,
    /// The recipient.
    pub tenant: TenantId,
    /// What would become of it.
    pub result: PairResult,
}

/// What a rule would do to a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairResult {
    /// The image would be shared with the recipient.
    Shared,
    /// It is shared with the recipient already.
    Unchanged,
    /// The image has this visibility, and so no members.
    NotShared(Visibility),
    /// The pair would fail with this outcome.
    Refused(Outcome),
}

impl RuleDryRun {
    /// How many pairs there are.
    pub fn pair_count(&self) -> usize {
        self.images.saturating_mul(self.recipients)
    }
}

/// Counts the images of the caller's project that a rule matches, whether it is enabled or not, and plans the first 100
/// pairs with its recipients, as [`apply`](super::apply()) would at this moment. Writes nothing. Examines at most some
/// ten thousand images.
///
/// Costs one read, what the recipients cost, a page of images for every 1,000 that match, one batch read for every 100
/// items of the planned pairs, and a count of each inbox whose count is not cached.
///
/// # Errors
/// [`ShareRuleError`]
pub async fn dry_run(app: &App, caller: &Caller, name: &ShareRuleName) -> Result<RuleDryRun, ShareRuleError> {
    authorize_write(caller)?;
    let rule = show(app, caller, name).await?;
    let recipients = resolve_recipients(app, &caller.tenant, &rule.details.recipients).await?;
    let (mut images, mut count, mut after) = (Vec::new(), 0, None);
    let needed = MAX_PAIRS.div_ceil(recipients.len().max(1));
    for _ in 0..MAX_PAGES {
        let page = matching_images(app, caller, &rule.details.pattern, after, IMAGES_PER_PAGE).await?;
        count += page.images.len();
        let room = needed.saturating_sub(images.len());
        images.extend(page.images.into_iter().take(room));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let first_pairs = plan_pairs(app, caller, &images, recipients.clone()).await?;
    Ok(RuleDryRun { images: count, is_complete: after.is_none(), recipients: recipients.len(), first_pairs })
}

/// Plans the first pairs of images and tenants as one step.
async fn plan_pairs(
    app: &App,
    caller: &Caller,
    images: &[Image],
    mut tenants: Vec<TenantId>,
) -> Result<Vec<DryRunPair>, UseCaseError> {
    tenants.truncate(MAX_PAIRS);
    let job = Job {
        id: JobId(app.clock().stamp()),
        creator: caller.tenant.clone(),
        task: Task::Share,
        images: images.iter().map(|image| image.id.clone()).collect(),
        tenants,
        accepted_at: app.clock().now(),
        queues: Vec::new(),
        may_repeat: false,
    };
    let pairs: Vec<Pair<'_>> =
        (0..job.pair_count().min(MAX_PAIRS)).filter_map(|number| job.pair(number)).collect();
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let involved: Vec<_> = job.tenants.iter().chain([&caller.tenant]).collect();
    let mut snapshot = app.store.snapshot(&pairs, &involved).await?;
    reject_names_as_ids(app, caller, &snapshot, &job.tenants).await?;
    app.store.read_extra(&mut snapshot, &job.task, &pairs).await?;
    let job = Job { id: JobId(app.clock().stamp_after(snapshot.stamps())), ..job.clone() };
    let plan = snapshot.plan_dry_run(&job, 0..pairs.len(), app.settings.rules());
    let visibility = |id: &ImageId| {
        let image = images.iter().find(|image| image.id == *id);
        image.map(|image| image.visibility).filter(|visibility| !visibility.allows_sharing())
    };
    let results =
        pairs.iter().zip(&plan.outcomes).map(|(pair, outcome)| match (visibility(pair.0), outcome) {
            (Some(visibility), _) => PairResult::NotShared(visibility),
            (None, Outcome::Done)
                if snapshot.membership(*pair).is_none_or(|before| before.active().is_none()) =>
            {
                PairResult::Shared
            }
            (None, Outcome::Done) => PairResult::Unchanged,
            (None, refused) => PairResult::Refused(*refused),
        });
    let planned = pairs.iter().zip(results);
    let planned = planned.map(|((image, tenant), result)| DryRunPair {
        image: (*image).clone(),
        tenant: (*tenant).clone(),
        result,
    });
    Ok(planned.collect())
}
