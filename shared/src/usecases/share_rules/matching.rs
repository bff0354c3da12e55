//! The images of an owner that match a pattern.

use crate::App;
use crate::domain::{Caller, Image, Pattern};
use crate::store::List;
use crate::usecases::error::UseCaseError;
use crate::usecases::list_images::{ImageQuery, IndexFilter, VisibleImage, list_images};
use crate::usecases::marker::Marker;

/// Images that match, and where to continue.
#[derive(Debug, Default)]
pub(super) struct MatchingImages {
    pub(super) images: Vec<Image>,
    /// Where the next page begins; `None` on the last one. A page may have no images, and a next one.
    pub(super) next: Option<Marker>,
}

/// Returns a page of the caller's own images that match, the newest first: at most `limit`. Costs what a page of a
/// list costs, and examines at most 10,000 images.
///
/// # Errors
/// [`UseCaseError`]
pub(super) async fn matching_images(
    app: &App,
    caller: &Caller,
    pattern: &Pattern,
    after: Option<Marker>,
    limit: usize,
) -> Result<MatchingImages, UseCaseError> {
    let query = ImageQuery {
        lists: vec![List::Owned(caller.tenant.clone())],
        filter: |visible: &VisibleImage| pattern.matches(&visible.image),
        index_filter: IndexFilter::default(),
        needs_member_counts: false,
        sort: Vec::new(),
        after,
        limit,
    };
    match list_images(app, caller, query).await {
        Ok(page) => {
            let images = page.rows.into_iter().map(|row| row.visible.image).collect();
            Ok(MatchingImages { images, next: page.next })
        }
        Err(UseCaseError::ScanLimitReached { next, .. }) => {
            Ok(MatchingImages { images: Vec::new(), next: next.map(|next| *next) })
        }
        Err(error) => Err(error),
    }
}
