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

/// An image to be registered.
#[derive(Debug, Clone)]
pub struct NewImage {
    /// The id that the caller wants; otherwise one is made.
    pub id: Option<ImageId>,
    /// The tenant to register it for; otherwise the caller's own.
    pub owner: Option<TenantId>,
    /// Its visibility.
    pub visibility: Visibility,
    /// What the owner says of it.
    pub details: Details,
}

/// How often a change is made anew because somebody else changed the image in between.
const MAX_ATTEMPTS: u32 = 10;

/// Registers an image; it is active at once. A request that was made before under its idempotency key returns the image of
/// that time as it is now. One transaction, and one read more where there is a key.
///
/// # Errors
/// [`UseCaseError`]; then nothing was registered.
pub async fn register_image(
    app: &App,
    caller: &Caller,
    new: NewImage,
    idempotency: Option<&IdempotencyRequest>,
) -> Result<Image, UseCaseError> {
    // Only what the role forbids is refused before a retry is found: the rest was allowed when the image was registered.
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
        // Two of the same request were under way.
        CreateOutcome::IdempotencyKeyUsed => {
            let before = find_replayed_image(app, caller, idempotency).await?;
            before.ok_or(UseCaseError::Conflict(image.id))
        }
        CreateOutcome::IdTaken => Err(UseCaseError::IdTaken(image.id)),
        CreateOutcome::LimitReached => Err(UseCaseError::TooManyImages(limit)),
    }
}

/// The image that a request has registered, if it was made before.
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

/// Reads an image that the caller can see: its own, an open one, or one that is shared with it, whatever it has said to
/// that (`contract/decisions.md` 1). One batch read.
///
/// # Errors
/// [`UseCaseError::ImageNotFound`] where there is none, or the caller cannot see it.
pub async fn show_image(app: &App, caller: &Caller, id: &ImageId) -> Result<Image, UseCaseError> {
    let (image, member) = app.store.image_and_member(id, &caller.tenant).await?;
    let own = NamedMembership { tenant: &caller.tenant, status: member.map(|member| member.status) };
    authorize(app, caller, id, image, Some(own), ImageAction::View).await
}

/// Changes an image that the caller owns: `change` is given the image as it stands, and changes its visibility and
/// details. One batch read and one transaction, and for an image with members one query; all again where somebody else
/// changed the image in between.
///
/// A format that was given stays what it is, as in Glance for an active image; one that was left out can still be said. What
/// the image is made of does not change while it is shared: its recipients have been judged by that. Their lists say by
/// a job of that transaction what the image's name is now, when it was updated, and whether they see it.
///
/// # Errors
/// [`UseCaseError`], that of `change` among them; then nothing was changed.
pub async fn update_image<E: From<UseCaseError>>(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    change: impl Fn(&mut Image) -> Result<(), E>,
) -> Result<Image, E> {
    for attempt in 1..=MAX_ATTEMPTS {
        let (read, head) = load_owned_image(app, caller, id, ImageAction::Update).await?;
        let mut image = read.clone();
        change(&mut image)?;
        if image == read {
            return Ok(read);
        }
        if image.visibility != read.visibility {
            authorize_visibility(caller, image.visibility).map_err(UseCaseError::from)?;
        }
        image.details.validate().map_err(UseCaseError::from)?;
        image.updated = app.clock().now();
        image.revision = read.revision + 1;
        if let Some(field) = read.details.changed_format(&image.details) {
            return Err(UseCaseError::FormatImmutable { image: read.id, field }.into());
        }
        if image.details.differs_materially_from(&read.details) && head.member_count > 0 {
            return Err(UseCaseError::SharedImageImmutable(read.id).into());
        }
        if store_update(app, (&read, &head), &image).await? == UpdateOutcome::Updated {
            return Ok(image);
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
    }
    Err(UseCaseError::Conflict(id.clone()).into())
}

/// Writes an image, with a job that rewrites its memberships where somebody sees or saw it by one.
async fn store_update(
    app: &App,
    (read, head): (&Image, &ImageHead),
    image: &Image,
) -> Result<UpdateOutcome, UseCaseError> {
    let is_seen = [read, image].iter().any(|image| image.visibility == Visibility::Shared);
    if head.member_count == 0 || !is_seen {
        let members = if head.member_count == 0 { MemberUpdate::RequireNone } else { MemberUpdate::Keep };
        return Ok(app.store.update_image(read, image, members).await?);
    }
    let recipients = app.store.recipients(&image.id).await?;
    let Some(refresh) = job_for_all_members(app, image, &recipients, Task::Refresh) else {
        return Ok(UpdateOutcome::Conflict);
    };
    Ok(app.store.update_image(read, image, MemberUpdate::Refresh(&recipients, &refresh)).await?)
}

/// A job about all members of an image, if there are any.
fn job_for_all_members(app: &App, image: &Image, recipients: &Recipients, task: Task) -> Option<Job> {
    (!recipients.tenants.is_empty()).then(|| Job {
        id: JobId(app.clock().stamp_ahead([])),
        creator: image.owner.clone(),
        task,
        images: vec![image.id.clone()],
        tenants: recipients.tenants.clone(),
        accepted_at: app.clock().now(),
        // Nothing has to be ordered by it: nothing comes after a deletion, and a refresh changes no membership.
        queues: Vec::new(),
    })
}

/// Deletes an image that the caller owns. Its memberships go with it, by a job that is accepted in the same transaction
/// (`contract/decisions.md` 24).
///
/// # Errors
/// [`UseCaseError`]; then nothing was deleted.
pub async fn delete_image(app: &App, caller: &Caller, id: &ImageId) -> Result<(), UseCaseError> {
    for _ in 0..MAX_ATTEMPTS {
        let (image, _) = load_owned_image(app, caller, id, ImageAction::Delete).await?;
        if image.details.protected {
            return Err(UseCaseError::Protected(image.id));
        }
        let recipients = app.store.recipients(id).await?;
        let unshare = job_for_all_members(app, &image, &recipients, Task::Unshare);
        if app.store.delete_image(&image, &recipients, unshare.as_ref()).await? == Commit::Committed {
            return Ok(());
        }
    }
    Err(UseCaseError::Conflict(id.clone()))
}

/// Reads an image and its head, provided that the caller may do that with it as its owner. One batch read; both again where
/// the image was registered or deleted while they were read, and one read more where it is refused.
async fn load_owned_image(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    action: ImageAction<'_>,
) -> Result<(Image, ImageHead), UseCaseError> {
    for _ in 0..2 {
        let found = app.store.image_and_head(id).await?;
        if let (image, Some(head)) = authorize(app, caller, id, found, None, action).await? {
            return Ok((image, head));
        }
    }
    Err(UseCaseError::Conflict(id.clone()))
}
