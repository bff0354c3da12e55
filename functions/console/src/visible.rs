//! The images that the visitor may see: its own, those that are shared with its project, and those that every project sees.

use imageshare::domain::{ImageId, Status, Visibility};
use imageshare::store::List;
use imageshare::usecases::{self, Direction, ImageQuery, IndexFilter, SortKey, VisibleImage};

use crate::visit::Visit;
use crate::wording::Refusal;

/// Finds those of some images that the visitor may see, the newest first. Costs one batch read for every 50, and one for every
/// 100 of its own if their member counts are needed.
///
/// # Errors
/// [`Refusal`] if the table failed.
pub(crate) async fn find(
    visit: &Visit<'_>,
    ids: &[ImageId],
    needs_member_counts: bool,
) -> Result<Vec<VisibleImage>, Refusal> {
    let tenant = &visit.caller().tenant;
    let received = Status::ALL.into_iter().map(|status| List::Received(tenant.clone(), status));
    let open = [Visibility::Public, Visibility::Community].map(List::Open);
    let lists = std::iter::once(List::Owned(tenant.clone())).chain(received).chain(open);
    find_in(visit, ids, lists.collect(), needs_member_counts).await
}

/// Finds those of some images that are in one of the lists, the newest first. Costs what [`find`] costs.
///
/// # Errors
/// [`Refusal`] if the table failed.
pub(crate) async fn find_in(
    visit: &Visit<'_>,
    ids: &[ImageId],
    lists: Vec<List>,
    needs_member_counts: bool,
) -> Result<Vec<VisibleImage>, Refusal> {
    let query = ImageQuery {
        lists,
        filter: |_: &VisibleImage| true,
        index_filter: IndexFilter::default(),
        needs_member_counts,
        sort: vec![(SortKey::CreatedAt, Direction::Descending)],
        after: None,
        limit: ids.len(),
    };
    let page = usecases::find_images(&visit.app, visit.caller(), ids, query).await?;
    Ok(page.rows.into_iter().map(|row| row.visible).collect())
}
