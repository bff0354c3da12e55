//! Register, show, change and delete an image.

use std::time::Duration;

use super::UseCaseError;
use super::access::authorize;
use super::idempotency::find_created_id;
use crate::App;
use crate::domain::{
    Caller, Details, Image, ImageAction, ImageHead, ImageId, Job, JobId, NamedMembership, Task, TenantId,
    Visibility, authorize_visibility, authorize_write_for,
};
use crate::store::{Commit, CreateOutcome, IdempotencyRequest, MemberUpdate, Recipients, UpdateOutcome};

/// The request to register an image.
#[derive(Debug, Clone)]
pub struct NewImage {
    /// The id that the caller chose; a random one if `None`.
    pub id: Option<ImageId>,
    /// The tenant that will own it; the caller's if `None`.
    pub owner: Option<TenantId>,
    /// Its visibility.
    pub visibility: Visibility,
    /// Its name, formats, tags and properties.
    pub details: Details,
}

/// The most attempts while other requests change the image.
const MAX_ATTEMPTS: u32 = 10;

/// Registers an image, which is active from then on. A replayed request returns the image of the first one as it is
/// now. Costs one transaction, and one read more if there is an idempotency key.
///
/// # Errors
/// [`UseCaseError`]; then nothing was registered.
pub async fn register_image(
    app: &App,
    caller: &Caller,
    new: NewImage,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Image, UseCaseError> {
    // Only the role is checked before a replay is looked up: the other checks passed when the image was registered.
    authorize_write_for(caller, &caller.tenant)?;
    if let Some(image) = find_replayed_image(app, caller, idempotency).await? {
        return Ok(image);
    }
    let owner = new.owner.unwrap_or_else(|| caller.tenant.clone());
    authorize_write_for(caller, &owner)?;
    authorize_visibility(caller, new.visibility)?;
    new.details.validate()?;
    let now = app.clock().now();
    let image = Image {
        id: new.id.unwrap_or_else(ImageId::random),
        owner,
        visibility: new.visibility,
        details: new.details,
        created: now,
        updated: now,
        revision: 1,
    };
    let limit = app.settings.limits.images_per_tenant;
    match app.store.create_image(&image, limit, idempotency).await? {
        CreateOutcome::Created => Ok(image),
        // The same request was executed concurrently.
        CreateOutcome::IdempotencyKeyUsed => {
            let replayed = find_replayed_image(app, caller, idempotency).await?;
            replayed.ok_or(UseCaseError::Conflict(image.id))
        }
        CreateOutcome::IdTaken => Err(UseCaseError::IdTaken(image.id)),
        CreateOutcome::LimitReached => Err(UseCaseError::TooManyImages(limit)),
    }
}

/// The image of a replayed request; `None` if the request is new.
async fn find_replayed_image(
    app: &App,
    caller: &Caller,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Option<Image>, UseCaseError> {
    match find_created_id(app, idempotency).await? {
        Some(id) => show_image(app, caller, &id).await.map(Some),
        None => Ok(None),
    }
}

/// Returns an image that the caller can see: its own, a public or community one, or one that is shared with it in any
/// status (`contract/decisions.md` 1). Costs one batch read.
///
/// # Errors
/// [`Denied::ImageNotFound`](crate::domain::Denied::ImageNotFound) if the image does not exist, or the caller cannot see it.
pub async fn show_image(app: &App, caller: &Caller, id: &ImageId) -> Result<Image, UseCaseError> {
    let (image, member) = app.store.image_and_member(id, &caller.tenant).await?;
    let own = NamedMembership { tenant: &caller.tenant, status: member.map(|member| member.status) };
    authorize(app, caller, id, image, Some(own), ImageAction::View).await
}

/// Updates an image that the caller owns. `change` gets the current image, and changes its visibility and details.
/// Costs one batch read and one transaction, and one query for an image with members; all again after a conflict.
///
/// A format that is set cannot change, as in Glance for an active image; one that was left out can be set. The
/// properties on which the rules of sharing depend do not change while the image has members. A job in the same
/// transaction updates the image's name, update time and visibility in the lists of its recipients.
///
/// # Errors
/// [`UseCaseError`], or the error of `change`; then nothing was changed,
/// unless the table leaves that in doubt ([`InDoubt`](crate::store::StoreError::InDoubt)).
pub async fn update_image<E: From<UseCaseError>>(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    change: impl Fn(&mut Image) -> Result<(), E>,
) -> Result<Image, E> {
    Ok(change_image(app, caller, id, change, Task::Refresh).await?.into_image())
}

/// An image after an update.
pub(super) enum ChangedImage {
    /// It was changed.
    Changed(Image),
    /// The update has left it as it was.
    Unchanged(Image),
}

impl ChangedImage {
    fn into_image(self) -> Image {
        match self {
            Self::Changed(image) | Self::Unchanged(image) => image,
        }
    }
}

/// Updates an image as [`update_image`] does. `for_members` is the task of the job on its members: [`Task::Refresh`], or
/// [`Task::Unshare`] to end their memberships; then `change` has to make the image private, so that it gets no others
/// meanwhile.
pub(super) async fn change_image<E: From<UseCaseError>>(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    change: impl Fn(&mut Image) -> Result<(), E>,
    for_members: Task,
) -> Result<ChangedImage, E> {
    for attempt in 1..=MAX_ATTEMPTS {
        let (current, head) = load_owned_image(app, caller, id, ImageAction::Update).await?;
        let mut image = current.clone();
        change(&mut image)?;
        if image == current {
            return Ok(ChangedImage::Unchanged(current));
        }
        if image.visibility != current.visibility {
            authorize_visibility(caller, image.visibility).map_err(UseCaseError::from)?;
        }
        image.details.validate().map_err(UseCaseError::from)?;
        image.updated = app.clock().now();
        image.revision = current.revision + 1;
        if let Some(field) = current.details.changed_format(&image.details) {
            return Err(UseCaseError::FormatImmutable { image: current.id, field }.into());
        }
        if image.details.differs_materially_from(&current.details) && head.member_count > 0 {
            return Err(UseCaseError::SharedImageImmutable(current.id).into());
        }
        let stored = store_update(app, (&current, &head), &image, for_members.clone()).await?;
        if stored == UpdateOutcome::Updated {
            return Ok(ChangedImage::Changed(image));
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
    }
    Err(UseCaseError::Conflict(id.clone()).into())
}

/// Writes an image, with a job for its memberships: to end them, or to refresh them if they show or have shown it to
/// recipients.
async fn store_update(
    app: &App,
    (current, head): (&Image, &ImageHead),
    image: &Image,
    for_members: Task,
) -> Result<UpdateOutcome, UseCaseError> {
    let is_shared = [current, image].iter().any(|image| image.visibility == Visibility::Shared);
    if head.member_count == 0 || (for_members == Task::Refresh && !is_shared) {
        let members = if head.member_count == 0 { MemberUpdate::RequireNone } else { MemberUpdate::Keep };
        return Ok(app.store.update_image(current, image, members).await?);
    }
    let recipients = app.store.recipients(&image.id).await?;
    let Some(job) = job_for_all_members(app, image, &recipients, for_members) else {
        return Ok(UpdateOutcome::Conflict);
    };
    Ok(app.store.update_image(current, image, MemberUpdate::Change(&recipients, &job)).await?)
}

/// A job on all members of an image; `None` if it has none.
fn job_for_all_members(app: &App, image: &Image, recipients: &Recipients, task: Task) -> Option<Job> {
    (!recipients.tenants.is_empty()).then(|| Job {
        id: JobId(app.clock().stamp_ahead([])),
        creator: image.owner.clone(),
        task,
        images: vec![image.id.clone()],
        tenants: recipients.tenants.clone(),
        accepted_at: app.clock().now(),
        // The job needs no order: no request follows a deletion, and a refresh changes no decision.
        queues: Vec::new(),
        may_repeat: false,
    })
}

/// What becomes of an image that has members, whatever they have decided, if it is to be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfShared {
    /// It is deleted, and a job in the same transaction ends its memberships (`contract/decisions.md` 24).
    EndMemberships,
    /// It is not. A share that is committed before the deletion keeps it from happening.
    Refuse,
}

/// Deletes an image that the caller owns, and ends its memberships. Costs one batch read, one query and one transaction;
/// all again after a conflict.
///
/// # Errors
/// [`UseCaseError`]; then nothing was deleted.
pub async fn delete_image(app: &App, caller: &Caller, id: &ImageId) -> Result<(), UseCaseError> {
    delete_image_if(app, caller, id, IfShared::EndMemberships, |_| Ok(())).await
}

/// Deletes an image that the caller owns, if `check` passes for the image as it is then. Costs what [`delete_image`]
/// does, without the query if a shared image is refused.
///
/// # Errors
/// The error of `check`, [`UseCaseError::StillShared`], or another [`UseCaseError`]; then nothing was deleted.
pub async fn delete_image_if(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    if_shared: IfShared,
    check: impl Fn(&Image) -> Result<(), UseCaseError>,
) -> Result<(), UseCaseError> {
    for _ in 0..MAX_ATTEMPTS {
        let (image, head) = load_owned_image(app, caller, id, ImageAction::Delete).await?;
        check(&image)?;
        if image.details.protected {
            return Err(UseCaseError::Protected(image.id));
        }
        let deleted = match if_shared {
            IfShared::Refuse if head.member_count > 0 => {
                return Err(UseCaseError::StillShared { image: image.id, members: head.member_count });
            }
            IfShared::Refuse => app.store.delete_image(&image, MemberUpdate::RequireNone).await?,
            IfShared::EndMemberships => delete_with_memberships(app, &image).await?,
        };
        if deleted == Commit::Committed {
            return Ok(());
        }
    }
    Err(UseCaseError::Conflict(id.clone()))
}

/// Deletes an image, with the job that ends its memberships, unless either has changed. Costs one query and one
/// transaction.
async fn delete_with_memberships(app: &App, image: &Image) -> Result<Commit, UseCaseError> {
    let recipients = app.store.recipients(&image.id).await?;
    let unshare = job_for_all_members(app, image, &recipients, Task::Unshare);
    let members = match &unshare {
        Some(unshare) => MemberUpdate::Change(&recipients, unshare),
        None => MemberUpdate::RequireNone,
    };
    Ok(app.store.delete_image(image, members).await?)
}

/// Reads an image and its head, if the caller is authorized for the action. Costs one batch read, again if the image
/// was registered or deleted during the read, and one read more if the action is refused.
async fn load_owned_image(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    action: ImageAction<'_>,
) -> Result<(Image, ImageHead), UseCaseError> {
    for _ in 0..2 {
        let image = app.store.image_and_head(id).await?;
        if let (image, Some(head)) = authorize(app, caller, id, image, None, action).await? {
            return Ok((image, head));
        }
    }
    Err(UseCaseError::Conflict(id.clone()))
}
