//! Register, show, change and delete an image.

use std::time::Duration;

use super::Refusal;
use super::earlier::created_before;
use crate::Service;
use crate::domain::{Caller, Details, Image, ImageHead, ImageId, Job, JobId, Task, TenantId, Visibility};
use crate::store::{Created, MembersThen, Recipients, Remembered, StoreError, UpdatedImage, Written};

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
const ATTEMPTS: u32 = 10;

/// Registers an image; it is active at once. One transaction.
///
/// # Errors
/// [`Refusal`]; then nothing was registered.
pub async fn register_image(service: &Service, caller: &Caller, new: NewImage) -> Result<Image, Refusal> {
    register_image_once(service, caller, new, None).await
}

/// Registers an image, unless the request was made before under its idempotency key: then the image of that time is returned
/// as it stands. One transaction, and one read more where there is a key.
///
/// # Errors
/// [`Refusal`]; then nothing was registered.
pub async fn register_image_once(
    service: &Service,
    caller: &Caller,
    new: NewImage,
    remembered: Option<Remembered>,
) -> Result<Image, Refusal> {
    if !caller.can_act() {
        return Err(Refusal::ReadOnly);
    }
    if let Some(image) = registered_before(service, caller, remembered.as_ref()).await? {
        return Ok(image);
    }
    let owner = new.owner.unwrap_or_else(|| caller.tenant.clone());
    if !caller.acts_for(&owner) {
        return Err(Refusal::OtherProject { acting: caller.tenant.clone(), named: owner });
    }
    may_publish(caller, new.visibility)?;
    new.details.check()?;
    let now = service.clock().now();
    let image = Image {
        id: new.id.unwrap_or_else(ImageId::random),
        owner,
        visibility: new.visibility,
        details: new.details,
        created: now,
        updated: now,
        revision: 1,
    };
    let most = service.settings.limits.images_per_tenant;
    match service.store.create_image(&image, most, remembered.as_ref()).await? {
        Created::Yes => Ok(image),
        // Two of the same request were under way.
        Created::Before => {
            let before = registered_before(service, caller, remembered.as_ref()).await?;
            before.ok_or(Refusal::Contended(image.id))
        }
        Created::IdTaken => Err(Refusal::IdTaken(image.id)),
        Created::TooMany => Err(Refusal::TooManyImages(most)),
    }
}

/// The image that a request has registered, if it was made before.
async fn registered_before(
    service: &Service,
    caller: &Caller,
    remembered: Option<&Remembered>,
) -> Result<Option<Image>, Refusal> {
    match created_before(service, remembered).await?.map(|id| id.parse()) {
        Some(Ok(id)) => show_image(service, caller, &id).await.map(Some),
        Some(Err(_)) => Err(StoreError::Unreadable("created").into()),
        None => Ok(None),
    }
}

/// Reads an image that the caller can see: its own, an open one, or one that is shared with it, whatever it has said to
/// that (`contract/decisions.md` 1). One batch read.
///
/// # Errors
/// [`Refusal::ImageNotFound`] where there is none, or the caller cannot see it.
pub async fn show_image(service: &Service, caller: &Caller, id: &ImageId) -> Result<Image, Refusal> {
    let (image, member) = service.store.image_and_member(id, &caller.tenant).await?;
    let visible = |image: &Image| {
        caller.reads_for(&image.owner)
            || image.visibility.is_open()
            || (image.visibility == Visibility::Shared && member.is_some())
    };
    image.filter(visible).ok_or_else(|| Refusal::ImageNotFound(id.clone()))
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
/// [`Refusal`], that of `change` among them; then nothing was changed.
pub async fn update_image<E: From<Refusal>>(
    service: &Service,
    caller: &Caller,
    id: &ImageId,
    change: impl Fn(&mut Image) -> Result<(), E>,
) -> Result<Image, E> {
    for attempt in 1..=ATTEMPTS {
        let (read, head) = owned_image(service, caller, id).await?;
        let mut image = read.clone();
        change(&mut image)?;
        if image == read {
            return Ok(read);
        }
        if image.visibility != read.visibility {
            may_publish(caller, image.visibility)?;
        }
        image.details.check().map_err(Refusal::from)?;
        image.updated = service.clock().now();
        image.revision = read.revision + 1;
        if let Some(field) = read.details.changed_format(&image.details) {
            return Err(Refusal::FormatFixed { image: read.id, field }.into());
        }
        if image.details.is_made_otherwise_than(&read.details) && head.members > 0 {
            return Err(Refusal::MadeOtherwise(read.id).into());
        }
        if write_update(service, (&read, &head), &image).await? == UpdatedImage::Yes {
            return Ok(image);
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..5 * u64::from(attempt)))).await;
    }
    Err(Refusal::Contended(id.clone()).into())
}

/// Writes an image, with a job that rewrites its memberships where somebody sees or saw it by one.
async fn write_update(
    service: &Service,
    (read, head): (&Image, &ImageHead),
    image: &Image,
) -> Result<UpdatedImage, Refusal> {
    let is_seen = [read, image].iter().any(|image| image.visibility == Visibility::Shared);
    if head.members == 0 || !is_seen {
        let members = if head.members == 0 { MembersThen::None } else { MembersThen::Kept };
        return Ok(service.store.update_image(read, image, members).await?);
    }
    let recipients = service.store.recipients(&image.id).await?;
    let Some(refresh) = job_of_all(service, image, &recipients, Task::Refresh) else {
        return Ok(UpdatedImage::Stale);
    };
    Ok(service.store.update_image(read, image, MembersThen::Refreshed(&recipients, &refresh)).await?)
}

/// A job about all members of an image, if there are any.
fn job_of_all(service: &Service, image: &Image, recipients: &Recipients, task: Task) -> Option<Job> {
    (!recipients.tenants.is_empty()).then(|| Job {
        id: JobId(service.clock().stamp_ahead([])),
        creator: image.owner.clone(),
        task,
        images: vec![image.id.clone()],
        tenants: recipients.tenants.clone(),
        accepted: service.clock().now(),
        // Nothing has to be ordered by it: nothing comes after a deletion, and a refresh changes no membership.
        queues: Vec::new(),
    })
}

/// Deletes an image that the caller owns. Its memberships go with it, by a job that is accepted in the same transaction
/// (`contract/decisions.md` 24).
///
/// # Errors
/// [`Refusal`]; then nothing was deleted.
pub async fn delete_image(service: &Service, caller: &Caller, id: &ImageId) -> Result<(), Refusal> {
    for _ in 0..ATTEMPTS {
        let (image, _) = owned_image(service, caller, id).await?;
        if image.details.protected {
            return Err(Refusal::Protected(image.id));
        }
        let recipients = service.store.recipients(id).await?;
        let unshare = job_of_all(service, &image, &recipients, Task::Unshare);
        if service.store.delete_image(&image, &recipients, unshare.as_ref()).await? == Written::Yes {
            return Ok(());
        }
    }
    Err(Refusal::Contended(id.clone()))
}

/// Reads an image that the caller is about to change as its owner. One batch read, and one or two more where it is
/// refused or was registered just now.
async fn owned_image(
    service: &Service,
    caller: &Caller,
    id: &ImageId,
) -> Result<(Image, ImageHead), Refusal> {
    if let (Some(image), Some(head)) = service.store.image_and_head(id).await?
        && caller.acts_for(&image.owner)
    {
        return Ok((image, head));
    }
    let image = show_image(service, caller, id).await?;
    if caller.acts_for(&image.owner) {
        // It was registered between the two reads.
        match service.store.image_and_head(id).await? {
            (Some(image), Some(head)) => Ok((image, head)),
            (None, None) => Err(Refusal::ImageNotFound(image.id)),
            _ => Err(Refusal::Contended(image.id)),
        }
    } else if caller.tenant == image.owner {
        Err(Refusal::ReadOnly)
    } else {
        Err(Refusal::NotOwner(image.id))
    }
}

fn may_publish(caller: &Caller, visibility: Visibility) -> Result<(), Refusal> {
    if visibility == Visibility::Public && !caller.is_admin() { Err(Refusal::AdminOnly) } else { Ok(()) }
}
