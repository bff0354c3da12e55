//! The images that the project owns, as several pages show them.

use imageshare::domain::{Denied, Encryption, ImageId, Outcome, Visibility, share_obstacle};
use imageshare::store::List;
use imageshare::usecases::{UseCaseError, VisibleImage};

use crate::texts::{Texts, fill};
use crate::visible;
use crate::visit::Visit;
use crate::wording::Refusal;

/// Images of the project that were asked for by their ids.
#[derive(Debug, Default)]
pub(crate) struct OwnedImages {
    /// Those that there are, the newest first.
    pub(crate) found: Vec<VisibleImage>,
    /// How many of the others do not exist, or belong to another project.
    pub(crate) missing: usize,
}

/// Finds images of the project by their ids. Costs one batch read for every 50, and one for every 100 for their recipients.
///
/// # Errors
/// [`Refusal`] if the table failed.
pub(crate) async fn find(visit: &Visit<'_>, ids: &[ImageId]) -> Result<OwnedImages, Refusal> {
    let own = List::Owned(visit.caller().tenant.clone());
    let found = visible::find_in(visit, ids, vec![own], true).await?;
    let missing = ids.len().saturating_sub(found.len());
    Ok(OwnedImages { found, missing })
}

/// The refusal of a request about an image: one that does not exist and one of another project have no page.
pub(crate) fn refusal(error: UseCaseError) -> Refusal {
    match error {
        UseCaseError::Denied(Denied::ImageNotFound(_)) => Refusal::NoSuchPage,
        other => other.into(),
    }
}

/// The path of the page of an image.
pub(crate) fn image_path(image: &ImageId) -> String {
    format!("/console/images/{image}")
}

/// Why an image cannot be shared, and what to do; `None` if it can.
pub(crate) fn obstacle(visit: &Visit<'_>, visible: &VisibleImage) -> Option<String> {
    let texts = visit.texts;
    let head = visible.image.head(visible.members);
    let most = visit.app.settings.limits.member_limit(&head);
    match share_obstacle(&head) {
        None if visible.members >= most => {
            Some(fill(texts.own.recipient_limit, &[("most", &most.to_string())]))
        }
        None => None,
        Some(Outcome::NotShareable) => Some(match visible.image.visibility {
            Visibility::Private => texts.own.private_obstacle.to_owned(),
            _ => texts.own.public_obstacle.to_owned(),
        }),
        Some(Outcome::DefaultKey) => Some(texts.own.default_key_obstacle.to_owned()),
        Some(_) => Some(texts.own.no_backup_obstacle.to_owned()),
    }
}

/// How many recipients an image has, of how many it may have.
pub(crate) fn recipients(visit: &Visit<'_>, VisibleImage { image, members, .. }: &VisibleImage) -> String {
    let most = visit.app.settings.limits.member_limit(&image.head(*members));
    fill(visit.texts.recipients_of, &[("count", &members.to_string()), ("most", &most.to_string())])
}

/// How an image is encrypted: by which key.
pub(crate) fn encryption(encryption: &Encryption, texts: &'static Texts) -> String {
    match encryption {
        Encryption::None => texts.none.to_owned(),
        Encryption::DefaultKey => texts.own.service_key.to_owned(),
        Encryption::Key(key) => key.to_string(),
    }
}

/// What a visibility is called.
pub(crate) fn visibility_name(visibility: Visibility, texts: &'static Texts) -> &'static str {
    match visibility {
        Visibility::Private => texts.own.private,
        Visibility::Shared => texts.own.shared,
        Visibility::Community => texts.own.community,
        Visibility::Public => texts.own.public,
    }
}
