//! Find some images by their ids in the lists that a caller can see.

use super::list_images::shown_in;
use super::{ImagePage, Marker, Refusal, Seen};
use crate::Service;
use crate::domain::{Caller, ImageId};
use crate::store::{List, Position};

/// Finds images in some lists, those received being the caller's; in the order of time, newest first, those after
/// `after`, at most `most`. Those that stand in none of the lists are missing. `ids` has none twice.
///
/// One batch read for each fifty, however long the lists are.
///
/// # Errors
/// [`Refusal::Store`] where the table failed.
pub async fn find_images(
    service: &Service,
    caller: &Caller,
    lists: &[List],
    ids: &[ImageId],
    matches: impl Fn(&Seen) -> bool,
    (after, most): (Option<&Position>, usize),
) -> Result<ImagePage, Refusal> {
    let pairs: Vec<_> = ids.iter().map(|id| (id, &caller.tenant)).collect();
    let mut known = service.store.snapshot_of(&pairs).await?.known;
    let images = ids.iter().filter_map(|id| {
        let image = known.images.remove(id)?;
        let own = known.memberships.get(&(id.clone(), caller.tenant.clone()));
        let received = own.and_then(|own| own.standing()).map(|standing| standing.status);
        let shown = shown_in(lists, &image, received)?;
        Some(Seen { image, shown })
    });
    let place = |seen: &Seen| Position { created: seen.image.created, image: seen.image.id.clone() };
    let mut images: Vec<Seen> = images.filter(matches).collect();
    images.retain(|seen| after.is_none_or(|after| place(seen) < *after));
    images.sort_by_key(|seen| std::cmp::Reverse(place(seen)));
    let more = images.len() > most;
    images.truncate(most);
    let next = images.last().filter(|_| more).map(|last| Marker::Place(place(last)));
    Ok(ImagePage { images, next })
}
