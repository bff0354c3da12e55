//! What the pages of received images have in common: their rows, and the images that a form selects.

use std::collections::{HashMap, HashSet};

use imageshare::domain::{Encryption, ImageId, Status, TenantId};
use imageshare::http::Listing;
use imageshare::store::{Cursor, Position};
use imageshare::usecases::{self, CounterpartNames, Marker, ReceivedImage};

use crate::fields::Fields;
use crate::show::{self, Moment};
use crate::texts::fill;
use crate::visit::Visit;
use crate::wording::Refusal;

/// The rows of a page.
pub(super) const PAGE_SIZE: usize = 25;

/// The most images that a form selects. Their ids have to fit into an address.
pub(super) const MAX_SELECTED: usize = 100;

/// A received image, as a row shows it.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) owner: String,
    /// The account and the project of the owner, if it is in the directory.
    pub(super) owner_names: Option<CounterpartNames>,
    pub(super) kind: &'static str,
    pub(super) backup: String,
    pub(super) key: &'static str,
    pub(super) shared: Moment,
    /// When the project decided on it; when it was shared, if it was accepted at once.
    pub(super) decided: Moment,
    pub(super) vault: String,
    pub(super) select: String,
    pub(super) accept: String,
    pub(super) reject: String,
}

/// What rows need besides the images.
#[derive(Debug, Default)]
pub(super) struct Facts {
    with_key: HashSet<ImageId>,
    owners: HashMap<TenantId, CounterpartNames>,
}

impl Facts {
    /// Reads what the rows of some images need. Costs a batch read for the names of the owners, and another one at the same
    /// time if an image is encrypted.
    pub(super) async fn load<'a>(
        visit: &Visit<'_>,
        images: impl Iterator<Item = &'a ReceivedImage> + Clone,
    ) -> Result<Self, Refusal> {
        let (app, caller) = (&visit.app, visit.caller());
        let visible = images.clone().map(|image| &image.visible);
        let owners = async { Ok::<_, Refusal>(usecases::names_of(app, visible).await?) };
        let with_key = async { Ok(usecases::images_with_granted_key(app, caller, images).await?) };
        let (owners, with_key) = tokio::try_join!(owners, with_key)?;
        Ok(Self { with_key, owners })
    }

    /// The row of an image.
    pub(super) fn row(&self, visit: &Visit<'_>, ReceivedImage { visible, member }: &ReceivedImage) -> Row {
        let (texts, image) = (visit.texts, &visible.image);
        let own = &texts.received;
        let name = show::image_name(image).to_owned();
        let label = |text| fill(text, &[("name", &name)]);
        let backup = show::backup_gib(image).map(|gib| fill(texts.gib, &[("count", &gib.to_string())]));
        Row {
            id: image.id.to_string(),
            owner: image.owner.to_string(),
            owner_names: self.owners.get(&image.owner).cloned(),
            kind: show::kind_name(image.details.kind(), texts),
            backup: backup.unwrap_or_default(),
            key: match image.details.encryption() {
                Encryption::None => own.key_not_needed,
                _ if self.with_key.contains(&image.id) => own.key_granted,
                _ => own.key_withdrawn,
            },
            shared: Moment(member.created),
            decided: Moment(member.decided.unwrap_or(member.created)),
            vault: member.vault.as_ref().map(ToString::to_string).unwrap_or_default(),
            select: label(texts.select),
            accept: label(own.accept_of),
            reject: label(own.reject_of),
            name,
        }
    }
}

/// The position in a list after which a page begins; `None` for the first page, and for any text that is no marker of it.
pub(super) fn position(listing: &Listing, marker: &str) -> Option<Position> {
    match listing.decode_image_marker(marker)? {
        Marker::Cursor(Cursor { values, position }) if values.is_empty() => Some(position),
        _ => None,
    }
}

/// The marker of the page after a position.
pub(super) fn marker(listing: &Listing, position: Position) -> String {
    listing.encode_marker(Marker::Cursor(Cursor::from(position)))
}

/// The images that a form is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Selection {
    /// All that wait for an answer.
    All,
    /// These.
    Images(Vec<ImageId>),
}

impl Selection {
    /// Reads the selection of a query or a form.
    ///
    /// # Errors
    /// [`Refusal`] if nothing is selected, or more than [`MAX_SELECTED`].
    pub(super) fn of(fields: &Fields) -> Result<Self, Refusal> {
        if fields.has("all") {
            return Ok(Self::All);
        }
        let images: Vec<ImageId> = fields.parsed("image");
        match images.len() {
            0 => Err(Refusal::NothingSelected),
            1..=MAX_SELECTED => Ok(Self::Images(images)),
            _ => Err(Refusal::TooManySelected { most: MAX_SELECTED }),
        }
    }

    /// The fields of a form or a query that select the same. Their values are safe in an address as they are.
    pub(super) fn fields(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::All => vec![("all", "1".to_owned())],
            Self::Images(images) => images.iter().map(|image| ("image", image.to_string())).collect(),
        }
    }

    /// The query that selects the same.
    pub(super) fn query(&self) -> String {
        let fields: Vec<_> = self.fields().iter().map(|(name, value)| format!("{name}={value}")).collect();
        fields.join("&")
    }
}

/// Whether accepting the image reserves capacity in a vault that it has not reserved yet.
pub(super) fn needed_gib(received: &ReceivedImage) -> Option<u64> {
    show::backup_gib(&received.visible.image).filter(|_| received.member.status != Status::Accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selection_is_the_same_in_form_and_address() {
        for query in ["all=1", "image=i-1", "image=i-1&image=b.2"] {
            let selection = Selection::of(&Fields::parse(query.as_bytes()).unwrap()).unwrap();
            assert_eq!(selection.query(), query);
        }
        for bad in [String::new(), "image=".to_owned(), "image=a%23b".to_owned()] {
            let fields = Fields::parse(bad.as_bytes()).unwrap();
            assert!(matches!(Selection::of(&fields), Err(Refusal::NothingSelected)), "{bad}");
        }
        let many: Vec<_> = (0..=MAX_SELECTED).map(|number| format!("image={number}")).collect();
        let fields = Fields::parse(many.join("&").as_bytes()).unwrap();
        assert!(matches!(Selection::of(&fields), Err(Refusal::TooManySelected { .. })));
    }
}
