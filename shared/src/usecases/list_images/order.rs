//! The orders in which images are listed, and the cursor of an image in each.

use std::cmp::Ordering;

use crate::domain::Image;
use crate::store::{Cursor, Order, Position, name_prefix, sortable_time};

/// The value that images are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When it was registered.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// Its name, as far as an index has it: names with the same first 300 bytes are equal.
    Name,
    /// Its id.
    Id,
    /// Its container format.
    ContainerFormat,
    /// Its disk format.
    DiskFormat,
    /// A value that is the same for every image here: its status, its size.
    Constant,
}

/// The direction of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest value first.
    Ascending,
    /// The greatest value first.
    Descending,
}

/// The keys of a sort, each used where the ones before are equal. Without keys, the order is by creation, newest first.
pub type Sort = Vec<(SortKey, Direction)>;

/// The key of an index, by which it orders images before their position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IndexKey {
    /// None: the index orders images by their position alone.
    Created,
    Name,
    Updated,
}

/// The index that has the order of a sort, and the direction to read it in; `None` if no index has it.
pub(super) fn index_order_for(sort: &Sort) -> Option<(IndexKey, Order)> {
    let sort: Sort = sort.iter().copied().filter(|(key, _)| *key != SortKey::Constant).collect();
    let Some((first, direction)) = sort.first().copied() else {
        return Some((IndexKey::Created, Order::NewestFirst));
    };
    let order = match direction {
        Direction::Ascending => Order::OldestFirst,
        Direction::Descending => Order::NewestFirst,
    };
    let index_key = match first {
        // Few images share a creation time, and those follow by id, so further keys change nothing.
        SortKey::CreatedAt => return Some((IndexKey::Created, order)),
        SortKey::Name => IndexKey::Name,
        SortKey::UpdatedAt => IndexKey::Updated,
        _ => return None,
    };
    // An index orders images with equal keys by creation and id, in the same direction.
    let by_default = [SortKey::CreatedAt, SortKey::Id].map(|key| (key, Direction::Descending));
    let mut rest: Sort = Vec::new();
    for (key, direction) in sort.into_iter().skip(1).chain(by_default) {
        if key != first && rest.iter().all(|(other, _)| *other != key) {
            rest.push((key, direction));
        }
    }
    (rest == [(SortKey::CreatedAt, direction), (SortKey::Id, direction)]).then_some((index_key, order))
}

/// The cursor of an image in the order of an index.
pub(super) fn index_cursor(key: IndexKey, image: &Image) -> Cursor {
    let values = match key {
        IndexKey::Created => Vec::new(),
        IndexKey::Name => vec![sort_value(SortKey::Name, image)],
        IndexKey::Updated => vec![sort_value(SortKey::UpdatedAt, image)],
    };
    Cursor { values, position: position_of(image) }
}

/// The cursor of an image in the order of a sort.
pub(super) fn sort_cursor(sort: &Sort, image: &Image) -> Cursor {
    let keys = sort.iter().map(|(key, _)| *key).filter(|key| has_value(*key));
    Cursor { values: keys.map(|key| sort_value(key, image)).collect(), position: position_of(image) }
}

/// The number of values in a cursor of a sort.
pub(super) fn value_count(sort: &Sort) -> usize {
    sort.iter().filter(|(key, _)| has_value(*key)).count()
}

fn position_of(image: &Image) -> Position {
    Position { created: image.created, image: image.id.clone() }
}

/// Whether a cursor has a value for the key, because its position does not contain it.
fn has_value(key: SortKey) -> bool {
    !matches!(key, SortKey::CreatedAt | SortKey::Id | SortKey::Constant)
}

fn sort_value(key: SortKey, image: &Image) -> String {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let details = &image.details;
    match key {
        SortKey::Name => name_prefix(details.name.as_deref().unwrap_or_default()).to_owned(),
        SortKey::UpdatedAt => sortable_time(image.updated),
        SortKey::ContainerFormat => text(details.container_format.as_deref()),
        SortKey::DiskFormat => text(details.disk_format.as_deref()),
        SortKey::CreatedAt | SortKey::Id | SortKey::Constant => String::new(),
    }
}

/// Compares two cursors of a sort: by its keys, then by creation and id, newest first, so that no two are equal.
pub(super) fn compare(sort: &Sort, a: &Cursor, b: &Cursor) -> Ordering {
    let mut values = a.values.iter().zip(&b.values);
    let (a, b) = (&a.position, &b.position);
    let by_sort = sort.iter().fold(Ordering::Equal, |ordering, (key, direction)| {
        let by_key = match key {
            SortKey::CreatedAt => a.created.cmp(&b.created),
            SortKey::Id => a.image.cmp(&b.image),
            SortKey::Constant => Ordering::Equal,
            SortKey::Name | SortKey::UpdatedAt | SortKey::ContainerFormat | SortKey::DiskFormat => {
                values.next().map_or(Ordering::Equal, |(a, b)| a.cmp(b))
            }
        };
        ordering.then(match direction {
            Direction::Ascending => by_key,
            Direction::Descending => by_key.reverse(),
        })
    });
    by_sort.then_with(|| b.cmp(a))
}

#[cfg(test)]
mod tests {
    use Direction::{Ascending, Descending};
    use SortKey::{Constant, CreatedAt, Id, Name, UpdatedAt};

    use super::*;

    #[test]
    fn index_serves_only_uniform_sort_directions() {
        for (sort, expected) in [
            (vec![], Some((IndexKey::Created, Order::NewestFirst))),
            (vec![(Constant, Ascending)], Some((IndexKey::Created, Order::NewestFirst))),
            (vec![(CreatedAt, Ascending), (Id, Ascending)], Some((IndexKey::Created, Order::OldestFirst))),
            (vec![(Name, Descending)], Some((IndexKey::Name, Order::NewestFirst))),
            (vec![(Name, Descending), (CreatedAt, Descending)], Some((IndexKey::Name, Order::NewestFirst))),
            (vec![(Name, Ascending)], None),
            (
                vec![(Name, Ascending), (CreatedAt, Ascending), (Id, Ascending)],
                Some((IndexKey::Name, Order::OldestFirst)),
            ),
            (
                vec![(Constant, Ascending), (UpdatedAt, Ascending), (CreatedAt, Ascending), (Id, Ascending)],
                Some((IndexKey::Updated, Order::OldestFirst)),
            ),
            (vec![(Name, Ascending), (Id, Ascending)], None),
            (vec![(Name, Descending), (Name, Ascending)], Some((IndexKey::Name, Order::NewestFirst))),
            (vec![(Id, Descending)], None),
        ] {
            assert_eq!(index_order_for(&sort), expected, "{sort:?}");
        }
    }
}
