//! Apply a share rule to the images that are there already.

use super::error::ShareRuleError;
use super::jobs::{Order, execute_order, images_per_job};
use super::manage::show;
use super::matching::matching_images;
use super::recipients::resolve_recipients;
use crate::App;
use crate::domain::{
    Caller, Denied, Image, ImageId, JobId, NotShared, ShareRequestError, ShareRule, ShareRuleCause,
    ShareRuleName, TenantId, authorize_write,
};
use crate::usecases::error::UseCaseError;
use crate::usecases::marker::Marker;

/// The most jobs that one request makes.
const MAX_JOBS: usize = 10;

/// The most pages of images that one request reads.
const MAX_PAGES: usize = 10;

/// What a request to apply a rule has done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Application {
    /// The jobs that it has made.
    pub jobs: Vec<JobId>,
    /// How many images they share.
    pub images: usize,
    /// The images that match and were not shared.
    pub refused: Vec<RefusedImage>,
    /// Where the next request continues; `None` if nothing is left.
    pub next: Option<Marker>,
}

/// An image that a rule matches and did not share.
#[derive(Debug, PartialEq, Eq)]
pub struct RefusedImage {
    /// The image.
    pub image: ImageId,
    /// Why.
    pub error: UseCaseError,
}

/// Shares the images of the caller's project that a rule matches with the rule's recipients, whether it is enabled or
/// not. One request makes at most 10 jobs, and the next one continues at the marker. What is shared already stays as
/// it is, so that a request can be repeated. With the `key` of an earlier request, and while the rule matches the same
/// images, it returns the jobs of that one.
///
/// Costs one read, what the recipients cost, and for each job a page of images, a share and one write.
///
/// # Errors
/// [`ShareRuleError`]; then no job was made, unless the error is
/// [`InDoubt`](crate::store::StoreError::InDoubt).
pub async fn apply(
    app: &App,
    caller: &Caller,
    name: &ShareRuleName,
    after: Option<Marker>,
    key: Option<&str>,
) -> Result<Application, ShareRuleError> {
    authorize_write(caller)?;
    let rule = show(app, caller, name).await?;
    let recipients = resolve_recipients(app, &caller.tenant, &rule.details.recipients).await?;
    let mut application = Application { next: after, ..Application::default() };
    if recipients.is_empty() {
        return Ok(Application::default());
    }
    let limit = images_per_job(recipients.len());
    for number in 0..MAX_PAGES {
        let key = key.map(|key| format!("{key}\0{number}"));
        let after = application.next.clone();
        let page = matching_images(app, caller, &rule.details.pattern, after, limit).await?;
        let (shareable, hidden): (Vec<_>, Vec<_>) =
            page.images.into_iter().partition(|image| image.visibility.allows_sharing());
        application.refused.extend(hidden.into_iter().map(|Image { id: image, visibility, .. }| {
            let problem = NotShared { image: image.clone(), visibility };
            RefusedImage { image, error: ShareRequestError::from(problem).into() }
        }));
        let images = shareable.into_iter().map(|image| image.id).collect();
        match share_images(app, caller, (&rule, &recipients), (images, key.as_deref()), &mut application)
            .await
        {
            Ok(()) => application.next = page.next,
            // What was shared before stands, and the next request continues here.
            Err(UseCaseError::TooManyRequests { .. }) if !application.jobs.is_empty() => {
                return Ok(application);
            }
            Err(error) => return Err(error.into()),
        }
        if application.next.is_none() || application.jobs.len() >= MAX_JOBS {
            break;
        }
    }
    Ok(application)
}

/// Shares images, without those that cannot be shared any more: one such image refuses a whole batch request.
async fn share_images(
    app: &App,
    caller: &Caller,
    (rule, recipients): (&ShareRule, &[TenantId]),
    (mut images, key): (Vec<ImageId>, Option<&str>),
    application: &mut Application,
) -> Result<(), UseCaseError> {
    while !images.is_empty() {
        let order = Order { rule, cause: ShareRuleCause::Applied, images: &images, recipients, key };
        let error = match execute_order(app, caller, order).await {
            Ok(jobs) => {
                application.images += images.len();
                application.jobs.extend(jobs);
                return Ok(());
            }
            Err(error) => error,
        };
        let Some(index) = refused_index(&error, &images) else { return Err(error) };
        application.refused.push(RefusedImage { image: images.remove(index), error });
    }
    Ok(())
}

/// The index of the image that an error is about, if it is about one.
fn refused_index(error: &UseCaseError, images: &[ImageId]) -> Option<usize> {
    let refused = match error {
        UseCaseError::Denied(Denied::ImageNotFound(image)) => image,
        UseCaseError::Denied(Denied::NotShared(problem))
        | UseCaseError::ShareRequest(ShareRequestError::NotShared(problem)) => &problem.image,
        _ => return None,
    };
    images.iter().position(|image| image == refused)
}
